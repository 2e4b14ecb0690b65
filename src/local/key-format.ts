import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { KeyPair } from "./state/schema.ts";

/** A public key as EC2 knows it. */
export interface PublicKey {
  readonly type: KeyPair["type"];
  /** `ssh-ed25519 AAAA...`, without comment. */
  readonly line: string;
  /** As EC2 computes it: SHA-256 of the key for ed25519, MD5 of its DER form for an imported RSA key. */
  readonly fingerprint: string;
}

/** Reads an OpenSSH public key line; undefined when it is not one that EC2 takes. */
export function readPublicKey(text: string): PublicKey | undefined {
  const [name, encoded] = text.trim().split(/\s+/);
  if (encoded === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const blob = Buffer.from(encoded, "base64");
  const parts = readStrings(blob);
  if (parts === undefined || parts[0]?.toString("latin1") !== name) return undefined;
  const line = `${name} ${encoded}`;
  if (name === "ssh-ed25519" && parts[1]?.length === 32 && parts.length === 2) {
    return { type: "ed25519", line, fingerprint: createHash("sha256").update(blob).digest("base64") };
  }
  const [, exponent, modulus] = parts;
  if (name !== "ssh-rsa" || exponent === undefined || modulus === undefined || parts.length !== 3)
    return undefined;
  const der = createPublicKey({
    format: "jwk",
    key: {
      kty: "RSA",
      n: unsigned(modulus).toString("base64url"),
      e: unsigned(exponent).toString("base64url"),
    },
  }).export({ type: "spki", format: "der" });
  return { type: "rsa", line, fingerprint: colons(createHash("md5").update(der).digest()) };
}

/** A new key pair: its private half as `aws ec2 create-key-pair` prints it, for `ssh -i`. */
export function newKeyPair(type: KeyPair["type"]): PublicKey & { readonly privateKey: string } {
  if (type === "rsa") {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const { n = "", e = "" } = publicKey.export({ format: "jwk" });
    const integer = (value: string): Buffer => signed(Buffer.from(value, "base64url"));
    const line = `ssh-rsa ${writeStrings([Buffer.from("ssh-rsa"), integer(e), integer(n)]).toString("base64")}`;
    const digest = createHash("sha1")
      .update(privateKey.export({ type: "pkcs8", format: "der" }))
      .digest();
    return {
      type,
      line,
      fingerprint: colons(digest),
      privateKey: privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
    };
  }
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const blob = writeStrings([Buffer.from("ssh-ed25519"), point]);
  return {
    type,
    line: `ssh-ed25519 ${blob.toString("base64")}`,
    fingerprint: createHash("sha256").update(blob).digest("base64"),
    privateKey: opensshPrivateKey(blob, point, seed),
  };
}

/** OpenSSH's own container, the only one that `ssh` takes for ed25519 (openssh-portable, PROTOCOL.key). */
function opensshPrivateKey(blob: Buffer, point: Buffer, seed: Buffer): string {
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    writeStrings([Buffer.from("ssh-ed25519"), point, Buffer.concat([seed, point]), Buffer.alloc(0)]),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const none = Buffer.from("none");
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    writeStrings([none, none, Buffer.alloc(0)]),
    Buffer.from([0, 0, 0, 1]),
    writeStrings([blob, Buffer.concat([secret, padding])]),
  ]);
  const lines = body.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join(
    "\n",
  );
}

function readStrings(blob: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < blob.length;) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  return parts;
}

function writeStrings(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

/** Numbers in SSH have a leading zero byte where they would else look negative. */
function signed(number: Buffer): Buffer {
  return (number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), number]) : number;
}

function unsigned(number: Buffer): Buffer {
  return number[0] === 0 ? number.subarray(1) : number;
}

function colons(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
