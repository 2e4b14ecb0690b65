import { createHash, randomBytes } from "node:crypto";

/** A new id in EC2's long form, such as `i-0123456789abcdef0`. */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString("hex")}`;
}

/** An id in the same form that is always the same for the same name. */
export function stableId(prefix: string, name: string): string {
  return `${prefix}-0${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

/** A UUID that is always the same for the same name. */
export function stableUuid(name: string): string {
  const digits = createHash("sha256").update(name).digest("hex");
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20, 32)].join("-");
}

/** The id of an instance profile. It is IAM's to give, which is not here: always the same for the same profile. */
export function instanceProfileId(arn: string): string {
  return `AIPA${createHash("sha256").update(arn).digest("hex").slice(0, 17).toUpperCase()}`;
}
