import { rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { BakeError } from "../../base/errors.ts";
import { mustRun } from "../../base/process.ts";
import { mustFindProgram, qemuHint } from "../qemu/tools.ts";
import { newId } from "../state/ids.ts";
import type { Architecture } from "../state/schema.ts";
import type { MakeOptions } from "./debian.ts";
import { download, fetchText } from "./download.ts";
import type { MadeImage } from "./install.ts";

/** Where Amazon publishes its images for KVM; it leads on to the newest version's directory. */
export const amazonLinuxUrl = "https://cdn.amazonlinux.com/al2023/os-images/latest/";

export interface AmazonLinuxOptions extends MakeOptions {
  readonly url: string;
  readonly stallSeconds: number;
  /** Where a download that was broken off waits for the next try. */
  readonly downloadDirectory: string;
}

/** One image in a list of checksums. */
export interface PublishedImage {
  readonly file: string;
  readonly sha256: string;
  /** Such as 2023.6.20241031.0. */
  readonly version: string;
  readonly kernel: string;
}

/** The image with the newest kernel for an architecture in the text of SHA256SUMS, or undefined. Pure. */
export function newestImage(checksums: string, architecture: Architecture): PublishedImage | undefined {
  const line = /^([0-9a-f]{64}) [ *](al2023-kvm-([0-9.]+)-kernel-([0-9.]+)-(\w+)\.xfs\.gpt\.qcow2)$/gm;
  const images = [...checksums.matchAll(line)].flatMap(
    ([, sha256 = "", file = "", version = "", kernel = "", found]) =>
      found === architecture ? [{ sha256, file, version, kernel }] : [],
  );
  return images.sort((a, b) => b.kernel.localeCompare(a.kernel, "en", { numeric: true }))[0];
}

/**
 * Fetches the newest Amazon Linux 2023 image for virtual machines, checked against its published checksum.
 * @throws BakeError `connection`, `timeout`, `not-found`, `failed`, `missing-tool`, `interrupted`
 */
export async function fetchAmazonLinux(options: AmazonLinuxOptions): Promise<MadeImage> {
  const { architecture, onProgress, signal } = options;
  await mustFindProgram("qemu-img", qemuHint);
  const { url: newest } = await fetchText(withSlash(options.url), options);
  const directory = new URL(architecture === "arm64" ? "kvm-arm64/" : "kvm/", withSlash(newest)).href;
  const { text } = await fetchText(new URL("SHA256SUMS", directory).href, options);
  const image = newestImage(text, architecture);
  if (image === undefined) {
    throw new BakeError("not-found", `${directory} has no Amazon Linux 2023 image for ${architecture}`);
  }
  onProgress(`downloading ${image.file}`);
  const kept = join(options.downloadDirectory, image.file);
  await download(new URL(image.file, directory).href, kept, image.sha256, options);
  const disk = join(options.workDirectory, "disk.qcow2");
  await rename(kept, disk);
  return {
    base: "al2023",
    name: `al2023-ami-${image.version}-kernel-${image.kernel}-${architecture}`,
    description: `Amazon Linux 2023 AMI ${image.version} ${architecture}, the image for KVM`,
    architecture,
    sizeGiB: await sizeOf(disk, signal),
    disk: newId("disk"),
    boot: { kind: "disk" },
    files: { disk },
    createdAt: Date.now(),
  };
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}

const infoSchema = z.object({ "virtual-size": z.number(), format: z.literal("qcow2") });

async function sizeOf(disk: string, signal: AbortSignal): Promise<number> {
  const text = await mustRun(["qemu-img", "info", "--output=json", disk], { signal });
  const info = infoSchema.safeParse(JSON.parse(text));
  if (!info.success) throw new BakeError("failed", `${disk} is not a qcow2 image`);
  return Math.ceil(info.data["virtual-size"] / 2 ** 30);
}
