import { gunzipSync, gzipSync } from "node:zlib";
import { BakeError } from "../base/errors.ts";
import { requestMark, writeRequest, type RequestLine } from "./request-lines.ts";

/** EC2's limit, in bytes before base64. ("Run commands when you launch an EC2 instance with user data input") */
export const mostUserData = 16_384;

export interface UserDataParts {
  /** The user's own, in any form that cloud-init takes: script, cloud-config, include, MIME multipart, any of them gzipped. */
  readonly own?: Buffer;
  readonly lines: readonly RequestLine[];
  /** More keys of a cloud-config, such as `bootcmd:` with its value; ASCII. */
  readonly bootcmd?: string;
}

/**
 * The user data of a launch. A launch request stands in it as comments of a cloud-config, which cloud-init takes without a
 * word; the user's own data comes before that, as it is, in a MIME multipart. It is gzipped where that is shorter; the user's own
 * alone is left as it is, because not every image has a cloud-init.
 * @returns undefined when there is nothing to say
 * @throws BakeError `usage` when it is more than EC2 takes, with the figure and the remedy, or when the user's own is unreadable.
 */
export function launchUserData(parts: UserDataParts): Buffer | undefined {
  const { own, lines, bootcmd } = parts;
  if (own !== undefined) checkOwn(own);
  if (lines.length === 0 && bootcmd === undefined) {
    if (own !== undefined && own.length > mostUserData) throw tooLong(own.length, own.length, parts);
    return own;
  }
  const config = cloudConfig(lines, bootcmd);
  const plain = Buffer.from(own === undefined ? config : multipart(unpacked(own), config, bootcmd), "latin1");
  const packed = gzipSync(plain, { level: 9 });
  const shorter = packed.length < plain.length ? packed : plain;
  if (shorter.length > mostUserData) throw tooLong(shorter.length, plain.length, parts);
  return shorter;
}

function cloudConfig(lines: readonly RequestLine[], bootcmd: string | undefined): string {
  // A cloud-config of comments alone is nothing at all to cloud-init, and it warns of that.
  return ["#cloud-config", ...writeRequest(lines), bootcmd?.trimEnd() ?? "{}", ""].join("\n");
}

/** @throws BakeError `usage` for what would be taken for a launch request of ours. */
function checkOwn(own: Buffer): void {
  if (
    !unpacked(own)
      .toString("latin1")
      .split("\n")
      .some((line) => line.startsWith(requestMark))
  )
    return;
  throw new BakeError("usage", `the user data has a line that begins with "${requestMark.trim()}"`, {
    hint: "such lines are the launch request of bake-ami: take them out, and use --set, --with and --log",
  });
}

/** @throws BakeError `usage` for a gzip that is none. */
function unpacked(own: Buffer): Buffer {
  if (own[0] !== 0x1f || own[1] !== 0x8b) return own;
  try {
    return gunzipSync(own);
  } catch (error) {
    throw new BakeError("usage", "the user data looks like gzip, and cannot be unpacked", { cause: error });
  }
}

/** How cloud-init must merge our part into a cloud-config of the user's: by default a later part's lists replace others'. */
const mergeHeader = "X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()";

/** The user's data and then ours, as characters of one byte each. (cloud-init, "MIME multi-part archive") */
function multipart(own: Buffer, config: string, bootcmd: string | undefined): string {
  const text = own.toString("latin1");
  let boundary = "bake-ami";
  while (text.includes(boundary)) boundary = `${boundary}-x`;
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "MIME-Version: 1.0",
    "",
    `--${boundary}`,
    ...partOf(text),
    `--${boundary}`,
    'Content-Type: text/cloud-config; charset="us-ascii"',
    "Content-Transfer-Encoding: 7bit",
    ...(bootcmd === undefined ? [] : [mergeHeader]),
    "",
    config,
    `--${boundary}--`,
    "",
  ].join("\n");
}

/** The lines of a part with this content. A multipart becomes a part by its own headers; cloud-init walks into it. */
function partOf(text: string): string[] {
  if (/^(?:content-type:\s*multipart\/|mime-version:)/i.test(text)) return [text];
  // For text/plain cloud-init looks at the beginning of the content to learn what it is.
  const type = "Content-Type: text/plain";
  if (/^[\t\n\x20-\x7e]*$/.test(text)) return [type, "Content-Transfer-Encoding: 7bit", "", text];
  const lines =
    Buffer.from(text, "latin1")
      .toString("base64")
      .match(/.{1,76}/g) ?? [];
  return [type, "Content-Transfer-Encoding: base64", "", ...lines];
}

function tooLong(bytes: number, plain: number, { own, lines }: UserDataParts): BakeError {
  const figure = (count: number): string => count.toLocaleString("en-US");
  const remedies: string[] = [];
  if (lines.some(({ kind }) => kind === "log-url" || kind === "channel-url")) {
    remedies.push(
      "give the machines a role with --instance-profile, which needs no presigned URLs, or start fewer",
    );
  }
  if (lines.some((line) => line.kind === "set" && line.value.length > 1000)) {
    remedies.push("put long values into Parameter Store and say ssm:/path, or into files of the service");
  }
  if (own !== undefined) {
    remedies.push(
      bytes === plain
        ? "gzip your user data, or put most of it where it can be fetched: `#include` and a URL"
        : "put most of your user data where it can be fetched: `#include` and a URL",
    );
  }
  if (remedies.length === 0) remedies.push("set fewer parameters, or bake them into the image");
  const packed = bytes === plain ? "" : ` (gzipped; ${figure(plain)} before)`;
  return new BakeError(
    "usage",
    `the user data takes ${figure(bytes)} bytes${packed}, and EC2 takes ${figure(mostUserData)}`,
    { hint: remedies.join("; ") },
  );
}
