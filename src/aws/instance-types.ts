import { DescribeInstanceTypesCommand } from "@aws-sdk/client-ec2";
import { BakeError } from "../base/errors.ts";
import { allPages, type Cloud } from "./cloud.ts";
import { cloudCodeOf } from "./cloud-error.ts";
import { instanceType } from "./instances.ts";

/**
 * The architecture of each of these instance types.
 * @throws BakeError `usage` for one that this Region does not have, or that runs neither x86_64 nor arm64.
 */
export async function architectureOf(
  cloud: Cloud,
  types: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, "x86_64" | "arm64">> {
  const InstanceTypes = types.map(instanceType);
  const found = new Map<string, "x86_64" | "arm64">();
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
    throw new BakeError("usage", `not all of these instance types exist here: ${types.join(", ")}`, {
      cause: error,
      hint: "`aws ec2 describe-instance-type-offerings` lists the Region's",
    });
  }
  const missing = types.filter((type) => !found.has(type));
  if (missing.length > 0) {
    throw new BakeError("usage", `no instance type of x86_64 or arm64 here: ${missing.join(", ")}`);
  }
  return new Map(types.map((type) => [type, found.get(type) ?? "x86_64"]));
}
