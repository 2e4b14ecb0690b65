import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

/*
 * AWS's own description of its API, as botocore has it: the package awscli of Debian brings one (from January 2023 in
 * Debian 12), python3-botocore another.
 */

const reference = z.object({
  shape: z.string(),
  locationName: z.string().optional(),
  queryName: z.string().optional(),
});

const shape = z.object({
  type: z.string(),
  members: z.record(z.string(), reference).optional(),
  member: reference.optional(),
  required: z.array(z.string()).optional(),
  enum: z.array(z.string()).optional(),
  exception: z.boolean().optional(),
  error: z.object({ code: z.string() }).optional(),
});

const operation = z.object({
  input: reference.optional(),
  output: reference.extend({ resultWrapper: z.string().optional() }).optional(),
  errors: z.array(reference).optional(),
});

const model = z.object({
  metadata: z.object({ protocol: z.string() }),
  operations: z.record(z.string(), operation),
  shapes: z.record(z.string(), shape),
});

export type Model = z.infer<typeof model>;
export type Shape = z.infer<typeof shape>;
export type Operation = z.infer<typeof operation>;
export type Reference = z.infer<typeof reference>;

const roots = [
  "/usr/lib/python3/dist-packages/awscli/botocore/data",
  "/usr/lib/python3/dist-packages/botocore/data",
  "/usr/share/python3-botocore/data",
];

const folders = {
  ec2: "ec2/2016-11-15",
  sts: "sts/2011-06-15",
  ssm: "ssm/2014-11-06",
  autoscaling: "autoscaling/2011-01-01",
  sns: "sns/2010-03-31",
};

const found = roots.find((root) => existsSync(`${root}/${folders.ec2}`));

/** Why tests against the model are skipped; undefined where there is one. */
export const noModel =
  found === undefined ? "(skipped: needs AWS's API model, package awscli or python3-botocore)" : undefined;

/** The model of a service. @throws Error where there is none, see {@link noModel} */
export function readModel(service: keyof typeof folders): Model {
  const plain = `${found ?? ""}/${folders[service]}/service-2.json`;
  const text = existsSync(plain)
    ? readFileSync(plain, "utf8")
    : gunzipSync(readFileSync(`${plain}.gz`)).toString("utf8");
  return model.parse(JSON.parse(text));
}

/** A shape by its name. @throws Error when the model has none of it */
export function shapeNamed({ shapes }: Model, name: string): Shape {
  const it = shapes[name];
  if (it === undefined) throw new Error(`the model has no shape ${name}`);
  return it;
}
