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
  });
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
