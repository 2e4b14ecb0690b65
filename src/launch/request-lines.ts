import { BakeError } from "../base/errors.ts";

/** Objects that a machine uploads below its log prefix. */
export const logNames = ["update.log", "job.log", "job.json"] as const;
export type LogName = (typeof logNames)[number];

/** One thing that a launch asks of its machines beyond their image; it travels in their user data. */
export type RequestLine =
  /** The value of a parameter. */
  | {
      readonly kind: "set";
      readonly service: string;
      readonly parameter: string;
      readonly value: string;
    }
  /** A secret parameter: `name` is what it is called in Parameter Store, as `/app/token`. */
  | {
      readonly kind: "secret";
      readonly service: string;
      readonly parameter: string;
      readonly name: string;
    }
  /** Where logs go by the machine's role: `s3://bucket/prefix/run/`; objects go below it as `<launch index>/<name>`. */
  | { readonly kind: "log"; readonly url: string }
  /** Where one log of the machine with this launch index goes: a presigned PUT URL. */
  | { readonly kind: "log-url"; readonly index: number; readonly name: LogName; readonly url: string }
  /** Where the bundle of the machine's channel is: a presigned GET URL. */
  | { readonly kind: "channel-url"; readonly url: string };

/** What every line of a launch request begins with; to YAML and to the shell it is a comment. */
export const requestMark = "#bake-ami ";

/**
 * A launch request as the machine reads it: it begins with its version and ends with the number of lines between, so that one
 * that was cut is seen to be. Free values are base64, so a line has no more words than it should.
 * @returns nothing for a request that asks nothing
 * @throws BakeError `usage` for names that cannot stand in a line.
 */
export function writeRequest(lines: readonly RequestLine[]): string[] {
  if (lines.length === 0) return [];
  return [["launch-request", "1"], ...lines.map(wordsOf), ["end", String(lines.length)]].map(
    (words) => `${requestMark}${words.join(" ")}`,
  );
}

function wordsOf(line: RequestLine): string[] {
  switch (line.kind) {
    case "set":
      return ["set", word(line.service), word(line.parameter), base64(line.value)];
    case "secret":
      return ["secret", word(line.service), word(line.parameter), base64(line.name)];
    case "log":
      return ["log", base64(line.url)];
    case "log-url":
      return ["log-url", String(line.index), line.name, base64(line.url)];
    case "channel-url":
      return ["channel-url", base64(line.url)];
  }
}

function word(text: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(text)) return text;
  throw new BakeError("usage", `${JSON.stringify(text)} cannot be the name of a service or a parameter`);
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
