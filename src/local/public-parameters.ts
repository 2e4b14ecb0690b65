import { baseImageId } from "./base-images.ts";
import type { Architecture, Image, Parameter, State } from "./state/schema.ts";

/*
 * The public parameters of Systems Manager that name base images, for those that this cloud has.
 * Amazon Linux: docs.aws.amazon.com/linux/al2023/ug/ec2.html. Debian: wiki.debian.org/Cloud/AmazonEC2Image.
 */

const amazonLinux =
  /^\/aws\/service\/ami-amazon-linux-latest\/al2023-ami-(?:minimal-)?kernel-(default|\d+\.\d+)-(x86_64|arm64)$/;
const debian = /^\/aws\/service\/debian\/release\/(?:12|bookworm)\/latest\/(amd64|arm64)$/;

/** Names that begin so are AWS's own. */
export const reservedPrefix = /^\/?(?:aws|ssm)/i;

/** The public parameter with this name, when it names an image that is here. */
export function publicParameter(state: State, name: string): Parameter | undefined {
  const image = imageFor(state, name);
  if (image === undefined) return undefined;
  return {
    name,
    type: "String",
    dataType: "text",
    value: image.id,
    version: 1,
    changedAt: image.createdAt,
  };
}

function imageFor(state: State, name: string): Image | undefined {
  const [, kernel, amazonArchitecture] = amazonLinux.exec(name) ?? [];
  if (kernel !== undefined) {
    const image = baseImage(state, "al2023", amazonArchitecture === "arm64" ? "arm64" : "x86_64");
    // The one image that is here has the kernel that its name tells.
    return kernel === "default" || image?.name.includes(`-kernel-${kernel}-`) === true ? image : undefined;
  }
  const debianArchitecture = debian.exec(name)?.[1];
  if (debianArchitecture === undefined) return undefined;
  return baseImage(state, "debian-12", debianArchitecture === "arm64" ? "arm64" : "x86_64");
}

function baseImage(
  state: State,
  base: "al2023" | "debian-12",
  architecture: Architecture,
): Image | undefined {
  const id = baseImageId(base, architecture);
  return state.images.find((image) => image.id === id && image.state === "available");
}
