import { expect, test } from "vitest";
import { expandProxyCommand, type SshTarget } from "../../src/machine/target.ts";
import { readKnownHosts } from "../../src/machine/known-hosts.ts";
import { newKeyPair, publicKeyBody, publicKeyOf } from "../../src/machine/keys.ts";
import { Secret } from "../../src/base/ids.ts";
import { journalCommand, startCommand } from "../../src/machine/remote.ts";

const target: SshTarget = {
  host: "10.0.0.5",
  port: 2222,
  user: "admin",
  privateKey: undefined,
  hostKeys: ["ssh-ed25519 AAAA"],
  proxyCommand: undefined,
  instanceId: "i-0123",
};

test("tokens of a proxy command", () => {
  expect(expandProxyCommand("connect --target %i %h:%p as %r 100%% %x", target)).toBe(
    "connect --target i-0123 10.0.0.5:2222 as admin 100% %x",
  );
});

test("keys in known_hosts lines", () => {
  const text =
    "# Host found: line 1\n|1|abc|def ssh-ed25519 AAAA comment\n@revoked h ssh-rsa BBBB\n@cert-authority h ssh-rsa C\n";
  expect(readKnownHosts(text)).toEqual(["ssh-ed25519 AAAA"]);
});

test("a new key pair's halves belong together", () => {
  const pair = newKeyPair("someone");
  expect(publicKeyBody(pair.publicKey)).toBe(publicKeyOf(pair.privateKey, "memory"));
  expect(`${JSON.stringify(pair)} ${String(pair.privateKey)}`).not.toContain("PRIVATE KEY");
});

test("of two thousand new key pairs, none is malformed", () => {
  for (let index = 0; index < 2000; index += 1) {
    const [type, encoded = ""] = newKeyPair("").publicKey.split(" ");
    expect(type).toBe("ssh-ed25519");
    // RFC 8709: a name of 11 bytes and a key of 32, with 4 bytes of length before each.
    expect(Buffer.from(encoded, "base64")).toHaveLength(4 + 11 + 4 + 32);
  }
});

test("a file that is no key is refused by name", () => {
  expect(() => publicKeyOf(new Secret("nonsense"), "/tmp/key")).toThrow(/\/tmp\/key is not a private key/);
});

test("commands are quoted, and go through sudo unless the login is root", () => {
  const request = {
    phase: "init",
    run: "r1",
    services: ["a", "b"],
    builder: true,
    metadata: undefined,
  } as const;
  expect(startCommand("admin", request)).toBe(
    "sudo -n /opt/bake-ami/current/bin/start init r1 --builder --follow a b",
  );
  expect(startCommand("root", request)).toBe(
    "/opt/bake-ami/current/bin/start init r1 --builder --follow a b",
  );
  expect(journalCommand("root", "s=1;i=2", false)).toBe("/opt/bake-ami/current/bin/journal 's=1;i=2'");
});
