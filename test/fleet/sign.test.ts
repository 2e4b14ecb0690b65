import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Secret } from "../../src/base/ids.ts";
import { openSigner, readSignerKey, signerOf } from "../../src/fleet/sign.ts";
import { newKeyPair } from "../../src/machine/keys.ts";

const directory = mkdtempSync(join(tmpdir(), "bake-ami-sign-"));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
const file = (name: string): string => join(directory, name);

const pair = newKeyPair("me");
const signer = openSigner(pair.privateKey, "the key");
const message = "bake-ami-bundle 1\nchannel test\n";

function sshKeygen(args: readonly string[], input = ""): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("ssh-keygen", args, { input, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

function verify(signature: string, text: string, trusted: string, namespace = "bake-ami-bundle") {
  writeFileSync(file("signers"), `bake-ami ${trusted}\n`);
  writeFileSync(file("signature"), signature);
  return sshKeygen(
    ["-Y", "verify", "-f", file("signers"), "-I", "bake-ami", "-n", namespace, "-s", file("signature")],
    text,
  );
}

test("ssh-keygen takes a signature of a trusted key over the very bytes, in its namespace alone", () => {
  const signature = signer.sign(message);
  expect(verify(signature, message, signer.publicKey)).toMatchObject({ status: 0 });
  expect(verify(signature, `${message}\n`, signer.publicKey).status).not.toBe(0);
  expect(verify(signature, message, newKeyPair("").publicKey).status).not.toBe(0);
  expect(verify(signature, message, signer.publicKey, "file").status).not.toBe(0);
});

test("a signature is what ssh-keygen itself makes, and both read its key the same", () => {
  writeFileSync(file("id"), pair.privateKey.reveal(), { mode: 0o600 });
  writeFileSync(file("message"), message);
  expect(sshKeygen(["-Y", "sign", "-f", file("id"), "-n", "bake-ami-bundle", file("message")]).status).toBe(
    0,
  );
  expect(signer.sign(message)).toBe(readFileSync(file("message.sig"), "utf8"));
  writeFileSync(file("id.pub"), `${pair.publicKey}\n`);
  expect(sshKeygen(["-l", "-f", file("id.pub")]).output).toContain(` ${signer.fingerprint} `);
  expect(signerOf(signer.sign(message))).toBe(signer.fingerprint);
  expect(readSignerKey(pair.publicKey)).toEqual({
    publicKey: signer.publicKey,
    fingerprint: signer.fingerprint,
  });
});

test("keys that ssh-keygen made do, with a passphrase or of another type they do not", () => {
  const made = (name: string, args: readonly string[]): Secret => {
    expect(sshKeygen(["-q", "-f", file(name), ...args]).status).toBe(0);
    return new Secret(readFileSync(file(name), "utf8"));
  };
  const good = openSigner(made("good", ["-t", "ed25519", "-N", ""]), "good");
  expect(verify(good.sign(message), message, good.publicKey).status).toBe(0);
  const locked = made("locked", ["-t", "ed25519", "-N", "secret words"]);
  expect(() => openSigner(locked, "locked")).toThrow(/^locked is not a private key that can be used here/);
  const ecdsa = made("ecdsa", ["-t", "ecdsa", "-N", ""]);
  expect(() => openSigner(ecdsa, "ecdsa")).toThrow(/^ecdsa is no private key of type ed25519/);
  expect(() => openSigner(new Secret("nothing"), "it")).toThrow(/^it is not a private key/);
  for (const line of ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "hello world"]) {
    expect(() => readSignerKey(line), line).toThrow(/is no public key of type ed25519/);
  }
});

test("what is no signature has no signer", () => {
  const signature = signer.sign(message);
  const body = signature.split("\n").slice(1, -2).join("\n");
  const armour = (text: string): string =>
    `-----BEGIN SSH SIGNATURE-----\n${text}\n-----END SSH SIGNATURE-----\n`;
  expect(signerOf(armour(body))).toBe(signer.fingerprint);
  for (const broken of ["", armour(""), armour("AAAA"), armour(body.slice(0, 24)), `x${signature}`]) {
    expect(signerOf(broken), broken).toBeUndefined();
  }
});
