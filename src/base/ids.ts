import { randomBytes } from "node:crypto";
import { inspect } from "node:util";

const base32 = "abcdefghijklmnopqrstuvwxyz234567";

/** A short random id of lower-case letters and digits, 5 bits a character. */
export function randomId(length: number): string {
  return Array.from(randomBytes(length), (byte) => base32.charAt(byte % 32)).join("");
}

/** A run id: sorts by time, unique without coordination, e.g. `20260102-030405-k3v9qa`. */
export function newRunId(now: Date): string {
  const digits = now.toISOString().replaceAll(/[-:]/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(9, 15)}-${randomId(6)}`;
}

/** When the run with this id began, in milliseconds since the epoch; undefined when the id is not one of ours. */
export function runStartedAt(run: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[a-z2-7]+$/.exec(run);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const at = Date.parse(
    `${year ?? ""}-${month ?? ""}-${day ?? ""}T${hour ?? ""}:${minute ?? ""}:${second ?? ""}Z`,
  );
  return Number.isNaN(at) ? undefined : at;
}

/** A value that must never be printed, logged or serialised by accident: it shows itself as `***`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; call it only where it goes to the one who needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}
