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
