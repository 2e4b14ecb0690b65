import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/*
 * The temporary credentials of an instance's role. Nothing stores them: they follow from the instance's own secret, and their
 * token says which instance and which time they are for. So the metadata service can show them, and every process on the
 * cloud's directory can check them, whoever started the machine. Pure, and without imports that take time to load.
 */

const rotationMs = 3 * 3600 * 1000;
/** As on EC2, new ones are there long before the old ones end. */
const lifetimeMs = 2 * rotationMs;

/** Access keys that begin so are of a role of the local cloud. */
export const roleKeyPrefix = "ASIALOCAL";

/** For whom and from when on credentials are. */
export interface RoleSession {
  readonly instanceId: string;
  readonly role: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** The name of the role of an instance profile: here both are called the same, and a path does not count. */
export function roleOf(profileArn: string): string {
  return profileArn.slice(profileArn.lastIndexOf("/") + 1);
}

/** The id of a role: IAM's to give, which is not here; always the same for the same name. */
export function roleId(role: string): string {
  return `AROA${createHash("sha256").update(role).digest("hex").slice(0, 17).toUpperCase()}`;
}

/**
 * The session that an instance is in at a time: the same for three hours.
 * @param launchedAt and `now` in milliseconds since the epoch
 */
export function currentSession(
  {
    id,
    launchedAt,
    profileArn,
  }: { readonly id: string; readonly launchedAt: number; readonly profileArn: string },
  now: number,
): RoleSession {
  const issuedAt = launchedAt + Math.floor((now - launchedAt) / rotationMs) * rotationMs;
  return { instanceId: id, role: roleOf(profileArn), issuedAt };
}

/** @param secret the instance's own */
export function credentialsOf(session: RoleSession, secret: string): RoleCredentials {
  const { instanceId, role, issuedAt } = session;
  const text = JSON.stringify([instanceId, role, issuedAt]);
  const derived = (purpose: string): Buffer =>
    createHmac("sha256", secret).update(`role credentials: ${purpose} ${text}`).digest();
  // Longer than it must be, as those of STS are.
  const seal = Buffer.concat([derived("token 1"), derived("token 2"), derived("token 3")]);
  return {
    accessKeyId: roleKeyPrefix + base32(derived("id")).slice(0, 20 - roleKeyPrefix.length),
    secretAccessKey: derived("secret").toString("base64").slice(0, 40),
    token: Buffer.concat([Buffer.from(`${text}\n`), seal]).toString("base64"),
    issuedAt,
    expiresAt: issuedAt + lifetimeMs,
  };
}

/** The session that a token claims to be of, unchecked; undefined for what is no token. */
export function claimedSession(token: string): RoleSession | undefined {
  const [text = ""] = Buffer.from(token, "base64").toString("latin1").split("\n");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parts: readonly unknown[] = Array.isArray(value) ? value : [];
  const [instanceId, role, issuedAt] = parts;
  if (typeof instanceId !== "string" || typeof role !== "string" || typeof issuedAt !== "number")
    return undefined;
  return { instanceId, role, issuedAt };
}

/** Compares without telling by its time how much is equal. */
export function isSameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const base32Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function base32(bytes: Buffer): string {
  return [...bytes].map((byte) => base32Letters[byte % base32Letters.length] ?? "").join("");
}
