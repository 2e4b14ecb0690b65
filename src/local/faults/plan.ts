import * as z from "zod";

/*
 * How the local cloud misbehaves: a plain value, so that it can be kept in a file, drawn by seed, printed and replayed.
 * docs/local-cloud.md, "Misbehaviour", explains every key.
 */

const milliseconds = z.number().min(0).max(86_400_000);

const span = z.union(
  [
    milliseconds,
    z
      .tuple([milliseconds, milliseconds])
      .refine(([least, most]) => least <= most, { error: "the first number must not be above the second" }),
  ],
  { error: "expected a time in milliseconds, at most a day, or [least, most]" },
);

/** Which of the cases that a rule is for are hit; all of them when neither is given. */
const when = {
  /** Numbers of the cases, from 1. */
  on: z.array(z.int().min(1)).min(1).optional(),
  rate: z.number().min(0).max(1).optional(),
};

const actionError = "expected the name of an action, such as RunInstances, or * for all";

/** Names of actions as the API has them, such as `RunInstances`, or `*` for all. */
const actionName = z
  .string({ error: actionError })
  .regex(/^(?:\*|[A-Z][A-Za-z0-9]+)$/, { error: actionError });

export const callFaults = [
  "throttled",
  "internal-error",
  "unavailable",
  "denied",
  "request-lost",
  "reply-lost",
] as const;

export type CallFault = (typeof callFaults)[number];

const callRule = z.strictObject({
  fault: z.enum(callFaults),
  action: z.union([actionName, z.array(actionName).min(1)], { error: actionError }).default("*"),
  ...when,
});

const bucket = z.strictObject({
  capacity: z.int().min(1),
  refillPerSecond: z.number().positive(),
});

const hidden = {
  /** It cannot be seen for so long after it was made. */
  hiddenMs: span.optional(),
  /** It cannot be seen by the first calls that would show it. */
  hiddenCalls: z.int().min(0).optional(),
};

const hides = z.strictObject(hidden);
const hidesAndLags = z.strictObject({
  ...hidden,
  /** Its earlier state is shown for so long after each change. */
  staleMs: span.optional(),
});

const place = {
  /** Such as `locala`. */
  zone: z.string().min(1).optional(),
  type: z.string().min(1).optional(),
};

const delays = z.strictObject({
  start: span.optional(),
  stop: span.optional(),
  terminate: span.optional(),
  image: span.optional(),
});

export const faultPlanSchema = z.strictObject({
  seed: z.int().min(0).default(0),
  calls: z.array(callRule).default([]),
  buckets: z.record(actionName, bucket).default({}),
  consistency: z
    .strictObject({
      instance: hidesAndLags.optional(),
      image: hidesAndLags.optional(),
      snapshot: hides.optional(),
      securityGroup: hides.optional(),
      keyPair: hides.optional(),
    })
    .default({}),
  delaysMs: delays.default({}),
  capacity: z.array(z.strictObject({ ...place, spotOnly: z.boolean().default(false), ...when })).default([]),
  failedLaunches: z
    .array(
      z.strictObject({
        ...place,
        code: z.string().min(1).default("Server.InternalError"),
        message: z.string().min(1).optional(),
        ...when,
      }),
    )
    .default([]),
  failedImages: z
    .array(
      z.strictObject({
        code: z.string().min(1).default("Server.InternalError"),
        message: z.string().min(1).optional(),
        ...when,
      }),
    )
    .default([]),
  groupInUseMs: span.optional(),
  spotInterruption: z
    .strictObject({
      /** From launch to the end; EC2 gives notice two minutes before it. */
      afterMs: span,
      noticeMs: milliseconds.default(120_000),
      ...when,
    })
    .optional(),
});

/** A plan as it is written: everything in it may be left out. */
export type FaultPlan = z.input<typeof faultPlanSchema>;

/** A plan with every default filled in. */
export type CheckedFaultPlan = z.output<typeof faultPlanSchema>;

export type CallRule = CheckedFaultPlan["calls"][number];
export type Buckets = CheckedFaultPlan["buckets"];
