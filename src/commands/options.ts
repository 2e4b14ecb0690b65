import { BakeError } from "../base/errors.ts";

const secondsPer: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["s", 1],
  ["m", 60],
  ["h", 3600],
]);

/**
 * A duration such as `90s`, `10m`, `2h`, in seconds.
 * @throws BakeError `usage`.
 */
export function readDuration(text: string, option: string): number {
  const [, count, unit] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  const seconds = Number(count ?? "0") * (secondsPer.get(unit ?? "") ?? 0);
  if (seconds > 0) return seconds;
  throw new BakeError("usage", `${option} ${text} is no duration`, { hint: "write it like 90s, 10m or 2h" });
}

/**
 * Port numbers from `80,443` or repeated options.
 * @throws BakeError `usage`.
 */
export function readPorts(values: readonly string[]): number[] {
  const ports = values.flatMap((value) => value.split(",")).filter((text) => text !== "");
  return ports.map((text) => {
    const port = Number(text);
    if (Number.isInteger(port) && port > 0 && port < 65536) return port;
    throw new BakeError("usage", `--open ${text} is no port number`, { hint: "for example --open 80,443" });
  });
}

/** Options that may be repeated or joined by commas. */
export function commaList(values: readonly string[]): string[] {
  return [...new Set(values.flatMap((value) => value.split(",")).map((text) => text.trim()))].filter(
    (text) => text !== "",
  );
}

/**
 * Blocks of addresses from `--allow-cidr`.
 * @throws BakeError `usage`.
 */
export function readCidrs(values: readonly string[]): string[] {
  return commaList(values).map(checkCidr);
}

function checkCidr(text: string): string {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const ok =
    v4 === null
      ? /^[0-9a-fA-F:]+\/\d{1,3}$/.test(text) && text.includes(":") && Number(text.split("/")[1]) <= 128
      : v4.slice(1, 5).every((part) => Number(part) <= 255) && Number(v4[5]) <= 32;
  if (ok) return text;
  throw new BakeError("usage", `--allow-cidr ${text} is no block of addresses`, {
    hint: "for example 203.0.113.7/32 or 2001:db8::7/128",
  });
}

/**
 * A whole number that an option gives, as a person wrote it.
 * @throws BakeError `usage`.
 */
export function readWholeNumber(
  text: string,
  option: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new BakeError("usage", `${option} ${text} is no whole number from ${least} to ${most}`);
}

const mebibytesPer: ReadonlyMap<string, number> = new Map([
  ["", 1024],
  ["m", 1],
  ["g", 1024],
  ["t", 1024 * 1024],
]);

/**
 * An amount of memory such as `16GiB`, `512MiB` or `16`, in MiB; a bare number is GiB, as EC2's pages have it.
 * @throws BakeError `usage`.
 */
export function readMemory(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\s*([mgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const mebibytes = Number(count ?? "0") * (mebibytesPer.get((unit ?? "").toLowerCase()) ?? 0);
  if (mebibytes > 0) return mebibytes;
  throw new BakeError("usage", `--memory ${text} is no amount of memory`, {
    hint: "write it like 16GiB or 512MiB",
  });
}
