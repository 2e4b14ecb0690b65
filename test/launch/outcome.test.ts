import { expect, test } from "vitest";
import { readHostKeys, readOutcome } from "../../src/launch/outcome.ts";

test("the newest outcome on a console, whatever surrounds it", () => {
  const console = [
    "[   12.3] systemd[1]: Started something.",
    "bake-ami: phase=update run=boot-1 result=failed services=a,b failed=b not-started=- init=-\r",
    "\u001b[0m[  OK  ] bake-ami: phase=update run=boot-2 result=ok services=a,b failed=- not-started=- init=c\r",
    "login: ",
  ].join("\n");
  expect(readOutcome(console)).toEqual({
    run: "boot-2",
    result: "ok",
    services: ["a", "b"],
    failed: [],
    notStarted: [],
    initialised: ["c"],
    reasons: [],
  });
});

test("why it failed, of the newest run alone, each reason once", () => {
  const line = (run: string): string =>
    `bake-ami: phase=update run=${run} result=failed services=a failed=a not-started=- init=-`;
  const console = [
    "bake-ami: why run=boot-1 a: update: step 10.sh ended with status 3",
    line("boot-1"),
    "\u001b[0m bake-ami: why run=boot-2 a: update: step \u001b[31m20.sh took longer than 600 s\r",
    "bake-ami: why run=boot-2 a: update: step 20.sh took longer than 600 s",
    "bake-ami: why run=boot-2 nope: there is no such service in this machine's bundle",
    line("boot-2"),
  ].join("\n");
  expect(readOutcome(console)?.reasons).toEqual([
    "a: update: step 20.sh took longer than 600 s",
    "nope: there is no such service in this machine's bundle",
  ]);
});

test("no outcome yet", () => {
  expect(readOutcome("Booting from ROM...\nbake-ami: something else\n")).toBeUndefined();
});

test("host keys as cloud-init prints them, of the last boot alone", () => {
  const block = (key: string): string =>
    `-----BEGIN SSH HOST KEY KEYS-----\necdsa-sha2-nistp256 AAAAE2= root@h\n${key} root@h\r\n-----END SSH HOST KEY KEYS-----\n`;
  expect(readHostKeys(`x\n${block("ssh-ed25519 OLD=")}y\n${block("ssh-ed25519 NEW+/=")}`)).toEqual([
    "ecdsa-sha2-nistp256 AAAAE2=",
    "ssh-ed25519 NEW+/=",
  ]);
  expect(readHostKeys("ssh-ed25519 AAAA outside of the block")).toEqual([]);
});
