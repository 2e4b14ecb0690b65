import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signingKey, trustedSigners } from "../../src/commands/signing-key.ts";
import { readSignerKey } from "../../src/fleet/sign.ts";
import { newKeyPair } from "../../src/machine/keys.ts";

let home: string;
let environment: Record<string, string>;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "bake-ami-signing-"));
  environment = { BAKE_AMI_DATA_DIR: join(home, "data") };
});
afterAll(() => {
  rmSync(home, { recursive: true });
});

const keyFile = (name: string, text: string): string => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};

test("a key of this user's own is made once, for its owner alone", async () => {
  const made = await Promise.all([1, 2, 3].map(() => signingKey(environment, undefined)));
  const file = join(home, "data", "signing", "id_ed25519");
  expect(new Set(made.map(({ publicKey }) => publicKey)).size).toBe(1);
  expect(made[0]?.file).toBe(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700);
  expect(readFileSync(file, "utf8")).toContain("BEGIN OPENSSH PRIVATE KEY");
  expect((await signingKey(environment, undefined)).publicKey).toBe(made[0]?.publicKey);
});

test("--signing-key names another, which is not made", async () => {
  const pair = newKeyPair("ci");
  const file = keyFile("ci", pair.privateKey.reveal());
  expect((await signingKey(environment, file)).publicKey).toBe(readSignerKey(pair.publicKey).publicKey);
  await expect(signingKey(environment, join(home, "none"))).rejects.toThrow(/there is no key file/);
  expect(existsSync(join(home, "none"))).toBe(false);
});

test("trusted are this user's own, those that are named, or nobody", async () => {
  const own = await signingKey(environment, undefined);
  expect(await trustedSigners(environment, [])).toEqual([
    { publicKey: own.publicKey, fingerprint: own.fingerprint },
  ]);
  expect(await trustedSigners(environment, [false])).toEqual([]);
  await expect(trustedSigners(environment, [false, "x"])).rejects.toThrow(/exclude each other/);

  const [one, two] = [newKeyPair("one"), newKeyPair("two")];
  const named = await trustedSigners(environment, [
    one.publicKey,
    keyFile("two.pub", `# the team's\n\n${two.publicKey}\n${one.publicKey}\n`),
    keyFile("two", two.privateKey.reveal()),
  ]);
  expect(named).toEqual([readSignerKey(one.publicKey), readSignerKey(two.publicKey)]);
});

test("what is no key and no file of one is refused", async () => {
  await expect(trustedSigners(environment, [join(home, "none.pub")])).rejects.toThrow(
    /^cannot read --signer/,
  );
  await expect(trustedSigners(environment, [keyFile("empty", "\n# nothing\n")])).rejects.toThrow(
    /has no key/,
  );
  await expect(trustedSigners(environment, [keyFile("text", "hello\n")])).rejects.toThrow(/no public key/);
  await expect(trustedSigners(environment, ["ssh-rsa AAAA"])).rejects.toThrow(
    /no public key of type ed25519/,
  );
});
