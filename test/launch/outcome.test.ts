import { expect, test } from "vitest";
import { readHostKeys, readJob, readOutcome } from "../../src/launch/outcome.ts";

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

const boot = (run: string): string =>
  `[    9.1] x bake-ami: times run=${run} booted=1000.25 hook=5.10 ready=8.40 services=init/web:5.30:6.51,update/web:6.60:6.90,db:6.50:8.00\r`;
const hook = (run: string): string =>
  `bake-ami: phase=update run=${run} result=ok services=web failed=- not-started=- init=web`;

test("the times of the newest run, of the channel and of the logs", () => {
  const console = [
    "bake-ami: channel=old result=new digest=ff serial=1 reason=-",
    "bake-ami: times run=boot-1 booted=1 hook=1 ready=2 services=-",
    hook("boot-1"),
    "bake-ami: log name=update.log result=failed reason=status=403 result=ok from S3",
    "bake-ami: channel=test result=kept digest=- serial=17 reason=the signature is not of a key that result=new fits",
    boot("boot-2"),
    hook("boot-2"),
    "bake-ami: log name=update.log result=ok reason=-",
    "bake-ami: logs are no word of ours",
  ].join("\n");
  const outcome = readOutcome(console);
  expect(outcome?.times).toEqual({
    bootedAt: 1_000_250,
    hookMs: 5100,
    readyMs: 8400,
    services: [
      { phase: "init", service: "web", startMs: 5300, endMs: 6510 },
      { phase: "update", service: "db", startMs: 6500, endMs: 8000 },
      { phase: "update", service: "web", startMs: 6600, endMs: 6900 },
    ],
  });
  expect(outcome?.channel).toEqual({
    name: "test",
    result: "kept",
    digest: undefined,
    serial: "17",
    reason: "the signature is not of a key that result=new fits",
  });
  expect(outcome?.logs).toEqual([{ name: "update.log", result: "ok", reason: undefined }]);
  expect(readOutcome(`${boot("boot-1")}\n${hook("boot-2")}`)?.times).toBeUndefined();
  expect(readOutcome(hook("boot-2"))).not.toHaveProperty("channel");
  const failed = readOutcome(console.split("\n").slice(0, 4).join("\n"))?.logs;
  expect(failed).toEqual([{ name: "update.log", result: "failed", reason: "status=403 result=ok from S3" }]);
});

test("a job: started, finished, and what became of its log", () => {
  expect(readJob("booting")).toBeUndefined();
  const started = "bake-ami: job run=r1 result=started status=- log=- reason=-";
  expect(readJob(started)).toEqual({
    run: "r1",
    result: "started",
    status: undefined,
    log: "none",
    reason: undefined,
  });
  const finished =
    "[ 1.0] bake-ami: job run=r1 result=finished status=137 log=failed reason=S3 said status=403";
  expect(readJob(`${started}\n${finished}\n`)).toEqual({
    run: "r1",
    result: "finished",
    status: 137,
    log: "failed",
    reason: "S3 said status=403",
  });
});
