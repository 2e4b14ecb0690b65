import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { jobSettings, wordsAfter, type JobArguments } from "../../src/commands/run-settings.ts";
import { jobTimes } from "../../src/jobs/boot.ts";
import { splitRequest } from "../../src/jobs/log-place.ts";
import { checkMachine, MachineGone } from "../../src/jobs/lost.ts";
import { commandFile, environmentFile, orderFile, readEnvironment } from "../../src/jobs/order.ts";
import { readEnd } from "../../src/jobs/remote.ts";
import { planUploads } from "../../src/jobs/uploads.ts";
import type { RequestLine } from "../../src/launch/request-lines.ts";
import { instance } from "../cleanup/support.ts";
import { failureOf } from "../support/failure.ts";
import { scriptedHandler, xmlError } from "../support/scripted-handler.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { Project } from "../support/project.ts";
import { order } from "./support.ts";

const context = (workingDirectory: string) => ({ workingDirectory });

const given: JobArguments = {
  command: ["true"],
  upload: [],
  env: [],
  maxTime: "24h",
  timeout: "20m",
  keep: false,
  detach: false,
  output: undefined,
  knownHosts: undefined,
};

describe("options", () => {
  const read = async (change: Partial<JobArguments>, launch = {}) =>
    await jobSettings({ ...given, ...change }, { count: 1, instance: {}, ...launch }, context("/"));

  test("what they mean", async () => {
    expect(await read({ env: ["A=1", "B=x=y", "A=2"], maxTime: "2h", timeout: "90s", keep: true })).toEqual({
      command: ["true"],
      uploads: [],
      environment: new Map([
        ["A", "2"],
        ["B", "x=y"],
      ]),
      maxSeconds: 7200,
      updateSeconds: 90,
      keep: true,
    });
  });

  test.each<[string, Partial<JobArguments>, object, string]>([
    ["no command", { command: [] }, {}, "say what to run"],
    ["several machines", {}, { count: 2 }, "--count"],
    ["persistent spot", {}, { instance: { spot: { kind: "persistent" } } }, "persistent spot"],
    ["protection", {}, { instance: { protect: true } }, "--protect"],
    ["output of nothing", { detach: true, output: "x" }, {}, "--detach"],
    ["a file of host keys", { knownHosts: "x" }, {}, "--known-hosts"],
    ["a duration that is none", { maxTime: "soon" }, {}, "--max-time soon"],
    ["an environment that is none", { env: ["1X=secret"] }, {}, "--env 1X=..."],
  ])("%s is refused", async (_, change, launch, message) => {
    const error = await failureOf(read(change, launch));
    expect(error.kind).toBe("usage");
    expect(error.message).toContain(message);
    expect(error.message).not.toContain("secret");
  });

  test("a protected machine may be kept", async () => {
    expect((await read({ keep: true }, { instance: { protect: true } })).keep).toBe(true);
  });

  test("the words after --", () => {
    expect(wordsAfter(undefined)).toEqual([]);
    expect(wordsAfter(["a", 1])).toEqual(["a", "1"]);
  });
});

const projectFiles = {
  "bench.sh": "#!/bin/sh\n",
  "sub/tool.sh": "#!/bin/sh\n",
  "data/x": "",
  nproc: "",
  "here/x": "",
};

test("uploads: what goes where, and what is refused", async () => {
  using project = new Project(projectFiles);
  const { directory } = project;
  const plan = async (words: string[], uploads: string[] = [], from = directory) => {
    const { command, uploads: found } = await planUploads(from, words, uploads);
    return [command, found.map(({ kind, target, isCommand }) => `${kind} ${target}${isCommand ? " *" : ""}`)];
  };
  expect(await plan(["./bench.sh", "x"])).toEqual([["./bench.sh", "x"], ["file bench.sh *"]]);
  expect(await plan(["sub/tool.sh"])).toEqual([["./sub/tool.sh"], ["file sub/tool.sh *"]]);
  expect(await plan(["bench.sh"])).toEqual([["./bench.sh"], ["file bench.sh *"]]);
  // A file of that name that cannot be run is not meant.
  expect(await plan(["nproc"])).toEqual([["nproc"], []]);
  expect(await plan(["/usr/bin/no-such-program"])).toEqual([["/usr/bin/no-such-program"], []]);
  expect(await plan([join(directory, "bench.sh")])).toEqual([["./bench.sh"], ["file bench.sh *"]]);
  expect(await plan(["true"], ["data/", "./sub"])).toEqual([["true"], ["directory data", "directory sub"]]);
  expect(await plan(["true"], ["."])).toEqual([["true"], ["directory ."]]);
  expect(await plan(["./bench.sh"], ["bench.sh"])).toEqual([
    ["./bench.sh"],
    ["file bench.sh *", "file bench.sh"],
  ]);
  const here = join(directory, "here");
  expect(await plan(["../bench.sh"], ["../data"], here)).toEqual([
    ["./bench.sh"],
    ["file bench.sh *", "directory data"],
  ]);

  const refused = async (planned: Promise<unknown>): Promise<string> => {
    const error = await failureOf(planned);
    expect(error.kind).toBe("usage");
    return error.message;
  };
  expect(await refused(plan(["./none"]))).toContain("there is no file ./none here");
  expect(await refused(plan(["sub/"]))).toContain("sub/ is a directory");
  expect(await refused(plan(["true"], ["none"]))).toContain("--upload none");
  expect(await refused(plan(["true"], ["x", "../data/x"], here))).toContain("would both become x");
});

describe("files for the machine", () => {
  test("every value is one word of a shell", () => {
    expect(
      environmentFile(
        new Map([
          ["A", "it's $x\n`y`"],
          ["B", ""],
        ]),
      ),
    ).toBe("A='it'\\''s $x\n`y`'\nB=''\n");
    expect(commandFile(["./bench.sh", "a b"])).toContain("exec ./bench.sh 'a b'\n");
    const text = orderFile(
      order("x", { log: { kind: "presigned", url: "s3://b/0/", log: "https://l?a=1&b", json: "https://j" } }),
    );
    expect(text).toContain("url_log='https://l?a=1&b'\nurl_json=https://j\n");
    expect(text).toContain("log_at=s3://b/0/\nlog_to=''\n");
    expect(text).toContain("keep=1\n");
  });

  test("an environment of odd names is refused without its value", () => {
    expect(() => readEnvironment(["A B=secret"])).toThrow("--env A B=... is not of the form");
    expect(() => readEnvironment(["secret"])).toThrow("--env secret is not of the form");
  });
});

test("the job's own URLs are taken out of the launch request", () => {
  const line = (name: "update.log" | "job.log" | "job.json"): RequestLine => ({
    kind: "log-url",
    index: 0,
    name,
    url: name,
  });
  const log: RequestLine = { kind: "log", url: "s3://b/p/run/" };
  const set: RequestLine = { kind: "set", service: "web", parameter: "port", value: "1" };
  expect(splitRequest([set, log, line("update.log"), line("job.log"), line("job.json")])).toEqual({
    request: [set, log, line("update.log")],
    logs: { kind: "presigned", url: "s3://b/p/run/0/", log: "job.log", json: "job.json" },
  });
  expect(splitRequest([log]).logs).toEqual({ kind: "role", url: "s3://b/p/run/0/" });
  expect(splitRequest([set])).toEqual({ request: [set], logs: undefined });
});

test("the end that the machine tells", () => {
  expect(readEnd("...\nend status=7 size=12 log=ok\nreason -\nwhy -\n")).toEqual({
    status: 7,
    size: 12,
    log: "ok",
    reason: undefined,
    why: undefined,
  });
  expect(
    readEnd("..\nend status=124 size=0 log=failed\nreason it took longer than 5 s\nwhy access denied\n"),
  ).toEqual({
    status: 124,
    size: 0,
    log: "failed",
    reason: "it took longer than 5 s",
    why: "access denied",
  });
  expect(readEnd("....")).toBeUndefined();
});

test("times: the deadline leaves the job its time after everything before it", () => {
  const { idle, deadline } = jobTimes(0, 60, 3600);
  expect(idle).toBe((60 + 900) * 1000);
  expect(deadline).toBe(idle + (3600 + 1800) * 1000);
});

test("a spot machine that was taken back is called one", () => {
  const machine = instance("i-1", { role: "job", run: "r" });
  const gone = new MachineGone({
    ...machine,
    state: "terminated",
    stateReasonCode: "Server.SpotInstanceTermination",
    stateReason: "Server.SpotInstanceTermination: Spot instance termination",
  });
  expect(gone.message).toBe("the job's machine i-1 is gone: EC2 took the spot machine back");
});

test("a cloud that does not answer says nothing about the machine", async () => {
  const requestHandler = scriptedHandler(() => xmlError(503, "Unavailable", "The service is unavailable"));
  const clock = new VirtualClock();
  const credentials = { accessKeyId: "x", secretAccessKey: "x" };
  const cloud = new Cloud({ region: "local", credentials, requestHandler, clock });
  await clock.run(() => checkMachine(cloud, "i-0123456789abcdef0", new AbortController().signal));
});
