import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import type { Interceptor } from "../../src/local/cloud.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { parsePolicy, type PolicyDocument } from "../../src/local/policy/document.ts";
import { ApiError } from "../../src/local/protocol/errors.ts";
import type { Event, Listener } from "../../src/report/events.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "./local-cloud.ts";

export const policyDirectory = join(import.meta.dirname, "../../docs/iam");

/** One of the documented policies, as its file has it. */
export function documented(name: string): PolicyDocument {
  return parsePolicy(JSON.parse(readFileSync(join(policyDirectory, `${name}.json`), "utf8")), name);
}

/** All that several policies allow. */
export function together(...policies: readonly PolicyDocument[]): PolicyDocument {
  const Statement = policies.flatMap((policy, index) =>
    policy.Statement.map((each) => ({ ...each, Sid: `${each.Sid ?? ""}${index === 0 ? "" : index}` })),
  );
  return { Version: "2012-10-17", Statement };
}

/** A policy without one action or one resource of one of its statements. */
export interface Shortened {
  /** What was taken out: `WorkWithOwn ec2:StopInstances`. */
  readonly without: string;
  readonly policy: PolicyDocument;
}

/** Every way to take one thing out of a policy. A statement that has nothing left goes as a whole. */
export function shortenings(policy: PolicyDocument): Shortened[] {
  return policy.Statement.flatMap((statement, index) =>
    (["Action", "Resource"] as const).flatMap((element) =>
      (statement[element] ?? []).map((item) => {
        const left = (statement[element] ?? []).filter((each) => each !== item);
        const Statement = policy.Statement.flatMap((each, at) => {
          if (at !== index) return [each];
          return left.length === 0 ? [] : [{ ...each, [element]: left }];
        });
        return { without: `${statement.Sid ?? index} ${item}`, policy: { ...policy, Statement } };
      }),
    ),
  );
}

/** How a piece of work went under a policy. */
export interface Outcome {
  /** The actions that the cloud refused, each once. */
  readonly refused: readonly string[];
  readonly warnings: readonly string[];
  readonly error: string | undefined;
}

/** What a piece of work is given. */
export interface Workplace {
  /** Under the policy. */
  readonly local: Pick<StateOnlyCloud, "cloud" | "imageId">;
  /** Under none: for what others have done before. */
  readonly unrestricted: StateOnlyCloud;
  readonly listener: Listener;
}

/** Does something under a policy, in a cloud of its own. */
export async function under(
  policy: PolicyDocument,
  work: (place: Workplace) => Promise<unknown>,
): Promise<Outcome> {
  const refused = new Set<string>();
  const events: Event[] = [];
  const watch: Interceptor = async (_, carryOut) => {
    try {
      return await carryOut();
    } catch (error) {
      // "... is not authorized to perform: ec2:RunInstances on resource: ..."
      const action = /not authorized to perform: (\S+)/.exec(messageOf(error))?.[1];
      if (error instanceof ApiError && action !== undefined) refused.add(action);
      throw error;
    }
  };
  await using unrestricted = await stateOnlyCloud();
  const { directory, imageId } = unrestricted;
  const cloud = openLocalCloud({ engine: "state-only", directory, policy, intercept: watch });
  const local = { cloud, imageId };
  let problem: string | undefined;
  try {
    await work({ local, unrestricted, listener: (event) => events.push(event) });
  } catch (error) {
    problem = messageOf(error);
  }
  return {
    refused: [...refused],
    warnings: events.flatMap((event) => (event.type === "warning" ? [event.message] : [])),
    error: problem,
  };
}
