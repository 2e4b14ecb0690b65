import { DescribeInstanceTypesCommand } from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { allPages, type Cloud } from "./cloud.ts";
import { cloudCodeOf } from "./cloud-error.ts";
import { instanceType } from "./run-instances.ts";

/** The architectures of processors that there are images for. */
export type Architecture = "x86_64" | "arm64";

/**
 * The architecture of each of these instance types.
 * @throws BakeError `usage` for one that this Region does not have, or that runs neither x86_64 nor arm64.
 */
export async function architectureOf(
  cloud: Cloud,
  types: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Architecture>> {
  const InstanceTypes = types.map(instanceType);
  const found = new Map<string, Architecture>();
  try {
    const pages = await allPages((next) =>
      cloud.ask("DescribeInstanceTypes", signal, (o) =>
        cloud.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes, ...next }), o),
      ),
    );
    for (const raw of pages.flatMap((page) => page.InstanceTypes ?? [])) {
      const architecture = raw.ProcessorInfo?.SupportedArchitectures?.find(
        (each) => each === "x86_64" || each === "arm64",
      );
      if (raw.InstanceType !== undefined && architecture !== undefined) {
        found.set(raw.InstanceType, architecture);
      }
    }
  } catch (error) {
    if (cloudCodeOf(error) !== "InvalidInstanceType") throw error;
    throw await unknownTypes(cloud, types, error, signal);
  }
  const missing = types.filter((type) => !found.has(type));
  if (missing.length > 0) {
    throw new BakeError("usage", `no instance type of x86_64 or arm64 here: ${missing.join(", ")}`);
  }
  return new Map(types.map((type) => [type, found.get(type) ?? "x86_64"]));
}

/** Says which types do not exist, and what they were probably meant to be. */
async function unknownTypes(
  cloud: Cloud,
  types: readonly string[],
  cause: unknown,
  signal: AbortSignal,
): Promise<BakeError> {
  // Their family may exist in other sizes, and their size in other families.
  const patterns = types.flatMap((type) => [type.replace(/\..*/, ".*"), type.replace(/.*\./, "*.")]);
  const filters = [{ Name: "instance-type", Values: [...new Set(patterns)] }];
  const pages = await allPages((next) =>
    cloud.ask("DescribeInstanceTypes", signal, (o) =>
      cloud.ec2.send(new DescribeInstanceTypesCommand({ Filters: filters, ...next }), o),
    ),
  );
  const known = pages.flatMap((page) => (page.InstanceTypes ?? []).flatMap((raw) => raw.InstanceType ?? []));
  const unknown = types.filter((type) => !known.some((each) => each === type));
  const near = unknown.map((type) => didYouMean(type, known)).filter((text) => text !== "");
  const list = "`aws ec2 describe-instance-type-offerings` lists the Region's";
  return new BakeError("usage", `this Region has no instance type ${unknown.join(", ")}`, {
    cause,
    hint: near.length === 0 ? list : near.join(" "),
  });
}
