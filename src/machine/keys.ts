import { utils } from "ssh2";
import { BakeError } from "../base/errors.ts";
import { Secret } from "../base/ids.ts";

/** An SSH key pair in OpenSSH's own formats. */
export interface KeyPair {
  /** `ssh-ed25519 AAAA... comment`, one line. */
  readonly publicKey: string;
  /** PEM-like text of the OpenSSH private key format. */
  readonly privateKey: Secret;
}

/** A new ed25519 key pair; it never touches the disk here. */
export function newKeyPair(comment: string): KeyPair {
  // ssh2 1.17 drops a leading zero byte of the public key: one pair in 256 is
  // malformed (mscdex/ssh2 issue 1390).
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519", { comment });
    if (utils.parseKey(pair.public) instanceof Error || utils.parseKey(pair.private) instanceof Error)
      continue;
    return { publicKey: pair.public.trim(), privateKey: new Secret(pair.private) };
  }
}

/**
 * The public half of a private key file's text.
 * @throws BakeError `usage` when the text is no private key, or one with a passphrase.
 */
export function publicKeyOf(privateKey: Secret, from: string): string {
  const parsed = utils.parseKey(privateKey.reveal());
  if (parsed instanceof Error) {
    throw new BakeError("usage", `${from} is not a private key that can be used here: ${parsed.message}`, {
      hint: "give an unencrypted OpenSSH or PEM private key; a key with a passphrase works through ssh-agent",
    });
  }
  return `${parsed.type} ${parsed.getPublicSSH().toString("base64")}`;
}

/**
 * Type and base64 blob of an OpenSSH public key line, without its comment.
 * @throws BakeError `usage` for what is no such line
 */
export function publicKeyBody(line: string): string {
  const [type = "", blob = ""] = line.trim().split(/\s+/);
  if (/^(?:ssh|ecdsa|sk)-[a-z0-9@.-]+$/.test(type) && /^[A-Za-z0-9+/]{4,}={0,2}$/.test(blob)) {
    return `${type} ${blob}`;
  }
  throw new BakeError("usage", `${JSON.stringify(line)} is no public host key`, {
    hint: 'it looks like "ssh-ed25519 AAAA..."; the machine has it in /etc/ssh/ssh_host_ed25519_key.pub',
  });
}
