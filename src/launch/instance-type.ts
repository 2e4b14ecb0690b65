import type { Cloud } from "../aws/cloud.ts";
import type { Image } from "../aws/images.ts";
import { architectureOf } from "../aws/instance-types.ts";
import { BakeError } from "../base/errors.ts";

/**
 * Checks a chosen instance type before anything is created.
 * @throws BakeError `usage` for a type that there is not here, or that cannot run the image
 */
export async function checkInstanceType(
  cloud: Cloud,
  type: string,
  image: Image,
  signal: AbortSignal,
): Promise<void> {
  const architecture = (await architectureOf(cloud, [type], signal)).get(type);
  if (architecture === undefined || architecture === image.architecture) return;
  throw new BakeError(
    "usage",
    `${type} is for ${architecture}, and image ${image.id} for ${image.architecture}`,
    {
      hint: "choose a type of the image's architecture with --type, or leave it out",
    },
  );
}
