import { createHash, randomBytes } from "node:crypto";

/** A new id in EC2's long form, such as `i-0123456789abcdef0`. */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString("hex")}`;
}

/** An id in the same form that is always the same for the same name. */
export function stableId(prefix: string, name: string): string {
  return `${prefix}-0${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}
