import { createHash } from "node:crypto";
import { utils } from "ssh2";
import { BakeError } from "../base/errors.ts";
import type { Secret } from "../base/ids.ts";

/*
 * Signatures as `ssh-keygen -Y sign` makes them, so that a machine needs nothing but its OpenSSH to verify one.
 * (PROTOCOL.sshsig in OpenSSH's sources)
 */

/** What the signatures of bundles are for: one of a file, or of a login, is none of a bundle. */
export const bundleNamespace = "bake-ami-bundle";

/** What bundles are signed with. */
export interface Signer {
  /** `ssh-ed25519 AAAA...`, one line without a comment. */
  readonly publicKey: string;
  /** As `ssh-keygen -l` shows it: `SHA256:...`. */
  readonly fingerprint: string;
  /** An armoured signature in the namespace of bundles, with a line end. */
  readonly sign: (message: string) => string;
}

const magic = Buffer.from("SSHSIG");
const keyType = "ssh-ed25519";

/**
 * A signer from the text of a private key file.
 * @param from the file, for the message
 * @throws BakeError `usage` when it is none, has a passphrase, or is not ed25519.
 */
export function openSigner(privateKey: Secret, from: string): Signer {
  const key = utils.parseKey(privateKey.reveal());
  if (key instanceof Error) {
    throw new BakeError("usage", `${from} is not a private key that can be used here: ${key.message}`, {
      hint: "give an ed25519 key without a passphrase, made with `ssh-keygen -t ed25519 -N '' -f FILE`",
    });
  }
  if (key.type !== keyType || !key.isPrivateKey()) {
    throw new BakeError(
      "usage",
      `${from} is no private key of type ed25519, and bundles are signed with one`,
      {
        hint: "make one with `ssh-keygen -t ed25519 -N '' -f FILE`",
      },
    );
  }
  const blob = key.getPublicSSH();
  return {
    publicKey: `${keyType} ${blob.toString("base64")}`,
    fingerprint: fingerprintOf(blob),
    sign: (message) => {
      const signature: Buffer | Error = key.sign(signedData(message));
      if (signature instanceof Error) {
        throw new BakeError("failed", `cannot sign with ${from}: ${signature.message}`, { cause: signature });
      }
      return armoured(blob, signature);
    },
  };
}

/**
 * The type and blob of an ed25519 public key, without its comment, and its fingerprint.
 * @throws BakeError `usage` for anything else.
 */
export function readSignerKey(line: string): { readonly publicKey: string; readonly fingerprint: string } {
  const [type = "", base64 = ""] = line.trim().split(/\s+/);
  const key = utils.parseKey(`${type} ${base64}`);
  if (type !== keyType || key instanceof Error) {
    throw new BakeError("usage", `${JSON.stringify(line)} is no public key of type ed25519`, {
      hint: 'it looks like "ssh-ed25519 AAAA..."; ssh-keygen writes it to a file that ends with .pub',
    });
  }
  return { publicKey: `${keyType} ${base64}`, fingerprint: fingerprintOf(key.getPublicSSH()) };
}

/** The fingerprint of whoever made a signature, by what the signature says; undefined when it is none. */
export function signerOf(armour: string): string | undefined {
  const body = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)-----END SSH SIGNATURE-----\n?$/.exec(
    armour,
  )?.[1];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, "base64");
  const at = magic.length + 4;
  if (!bytes.subarray(0, magic.length).equals(magic) || bytes.length < at + 4) return undefined;
  const length = bytes.readUInt32BE(at);
  const blob = bytes.subarray(at + 4, at + 4 + length);
  return blob.length === length ? fingerprintOf(blob) : undefined;
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function signedData(message: string): Buffer {
  const hash = createHash("sha512").update(message).digest();
  return Buffer.concat([magic, text(bundleNamespace), text(""), text("sha512"), text(hash)]);
}

function armoured(blob: Buffer, signature: Buffer): string {
  const version = Buffer.from([0, 0, 0, 1]);
  const inner = Buffer.concat([text(keyType), text(signature)]);
  const bytes = Buffer.concat([
    magic,
    version,
    text(blob),
    text(bundleNamespace),
    text(""),
    text("sha512"),
    text(inner),
  ]);
  const lines = bytes.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n");
}

/** SSH's `string`: its length in four bytes, and its bytes. */
function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
