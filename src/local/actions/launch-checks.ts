import { instanceTypeNamed, type InstanceType } from "../instance-types.ts";
import { ApiError } from "../protocol/errors.ts";
import type { Architecture } from "../state/schema.ts";

/** @throws ApiError for a type that is not here, and for one of another architecture than the image's. */
export function typeFor(name: string, architecture: Architecture): InstanceType {
  const type = instanceTypeNamed(name);
  if (type === undefined) {
    throw new ApiError(
      "InvalidParameterValue",
      `Invalid value '${name}' for InstanceType. The local cloud's types are shown by DescribeInstanceTypes.`,
    );
  }
  if (type.architecture !== architecture) {
    throw new ApiError(
      "InvalidParameterValue",
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.`,
    );
  }
  return type;
}

/** Whether an instance is EBS-optimised, as it will be shown. @throws ApiError for a type that cannot be */
export function ebsOptimizedFor(asked: boolean | undefined, type: InstanceType): boolean {
  if (asked === true && type.ebsOptimized === "unsupported") {
    throw new ApiError(
      "Unsupported",
      `EBS-optimized instances are not supported for your requested configuration (${type.name}). Please check the documentation for supported configurations.`,
    );
  }
  return asked ?? false;
}

/** User data as it came, in base64; nothing for none at all. @throws ApiError for what EC2 refuses */
export function checkedUserData(encoded: string | undefined): string | undefined {
  if (encoded === undefined || encoded === "") return undefined;
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(encoded)) {
    throw new ApiError("InvalidParameterValue", "Invalid BASE64 encoding of user data.");
  }
  if (Buffer.from(encoded, "base64").length > 16384) {
    throw new ApiError("InvalidParameterValue", "User data is limited to 16384 bytes");
  }
  return encoded;
}
