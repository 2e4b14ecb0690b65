import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { DeleteBucketCommand } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { attachJob } from "../../src/jobs/attach-job.ts";
import { runJob, startJob } from "../../src/jobs/run-job.ts";
import type { Sink } from "../../src/jobs/sink.ts";
import { fakeMetadata } from "../phases/metadata.ts";
import { failureOf } from "../support/failure.ts";
import { Forwarder } from "../support/forwarder.ts";
import { freePort, noTestMachines } from "../support/nspawn.ts";
import { bucket, Kept, World } from "./world.ts";

/** User data as it is sent. */
function plain(encoded = ""): string {
  const bytes = Buffer.from(encoded, "base64");
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
}

const at = "p/20260102-030405-abcdef/0";

describe.skipIf(noTestMachines !== undefined)(`a job and its caller ${noTestMachines ?? ""}`, () => {
  test("output, status, log by presigned URLs; the machine is ended", async () => {
    await using world = await World.open();
    const log = `s3://${bucket}/p`;
    const result = await runJob(await world.job("echo out; echo err >&2; exit 3", { log }));
    expect(result).toMatchObject({
      status: 3,
      reason: undefined,
      size: 8,
      kept: false,
      log: { kind: "ok", url: `s3://${bucket}/${at}/` },
    });
    expect(world.sink.text).toBe("out\nerr\n");
    expect(await world.keys()).toEqual([`${at}/job.json`, `${at}/job.log`]);
    expect(await world.object(`${at}/job.log`)).toBe("out\nerr\n");
    const instance = await world.instance();
    expect(JSON.parse(await world.object(`${at}/job.json`))).toMatchObject({
      status: 3,
      machine: instance.InstanceId,
      command: ["sh", "-c", "echo out; echo err >&2; exit 3"],
    });
    expect(instance.State?.Name).toBe("terminated");
    await world.machine.stopped(20);

    const [request, other] = world.sent("RunInstances");
    expect(other).toBeUndefined();
    expect(request?.["InstanceInitiatedShutdownBehavior"]).toBe("terminate");
    const userData = plain(request?.["UserData"]);
    expect(userData).toMatch(/^#cloud-config\n#bake-ami launch-request 1\n/);
    expect(userData).toMatch(/\n    deadline=\d{10}\n(.*\n)*  - \|\n    idle=\d{10}\n/);
    expect(userData).toContain("#bake-ami log-url 0 update.log ");
    // The URLs of the job's own logs come over SSH.
    expect(userData).not.toContain("job.log");
    const expires = instance.Tags?.find(({ Key }) => Key === "bake-ami:expires")?.Value ?? "";
    expect(userData).toContain(`deadline=${Math.ceil(Date.parse(expires) / 1000)}\n`);
  });

  test("by the machine's role", async () => {
    await using world = await World.open();
    await using metadata = await fakeMetadata();
    metadata.facts.role = { accessKeyId: "local", secretAccessKey: "local", token: "" };
    await world.machine.run(
      `mkdir -p /var/lib/bake-ami; echo ${metadata.url} >/var/lib/bake-ami/metadata; ` +
        `systemctl set-environment AWS_ENDPOINT_URL=${world.url}`,
    );
    const result = await runJob(await world.job("echo out", { log: `s3://${bucket}/p`, byRole: true }));
    expect(result).toMatchObject({ status: 0, log: { kind: "ok" } });
    expect(await world.keys()).toEqual([`${at}/job.json`, `${at}/job.log`]);
    expect(plain(world.sent("RunInstances")[0]?.["UserData"])).not.toContain("log-url");
  });

  test("a slow reader holds the output up on the machine, not in this memory", async () => {
    await using world = await World.open();
    const size = 80 * 1024 * 1024;
    const digest = createHash("sha256");
    let [pending, most, came] = [0, 0, 0];
    const sink: Sink = {
      write: (chunk) => {
        digest.update(chunk);
        came += chunk.length;
        pending += chunk.length;
        most = Math.max(most, pending);
      },
      get pending() {
        return pending;
      },
    };
    const reader = setInterval(() => {
      pending = Math.max(0, pending - 4 * 1024 * 1024);
    }, 50);
    try {
      const script = `head -c ${size} /dev/urandom >/root/all; cat /root/all`;
      const options = await world.job(script, { keep: true });
      expect((await runJob({ ...options, sink })).size).toBe(size);
    } finally {
      clearInterval(reader);
    }
    expect(came).toBe(size);
    expect(most).toBeLessThan(40 * 1024 * 1024);
    expect(await world.machine.run("sha256sum /root/all")).toContain(digest.digest("hex"));
  });

  test("a connection that breaks again and again loses no byte and doubles none", async () => {
    await using world = await World.open();
    const port = await freePort();
    await using forwarder = await Forwarder.open(port, world.machine.sshPort);
    let cuts = 0;
    world.sink.onWrite = (text) => {
      if (text.length > 400_000 * (cuts + 1) && cuts < 3) {
        cuts += 1;
        forwarder.cut();
      }
    };
    const script =
      "for i in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/zero | tr '\\0' $i; sleep 0.3; done; exit 9";
    const result = await runJob(await world.job(script, { target: { port } }));
    expect(cuts).toBe(3);
    expect(result.status).toBe(9);
    const expected = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => String(n).repeat(300_000)).join("");
    expect(world.sink.text === expected).toBe(true);
    expect(world.said).toContain("the connection was lost");
  });

  test("an interruption ends the job, its log is sent, and the machine is ended", async () => {
    await using world = await World.open();
    const abort = new AbortController();
    world.sink.onWrite = (text) => {
      if (text === "begun\n") abort.abort(new BakeError("interrupted", "interrupted by SIGINT"));
    };
    const script = "echo begun; trap 'echo bye; exit 0' TERM; while :; do read -r _ || :; done";
    const error = await failureOf(
      runJob(await world.job(script, { log: `s3://${bucket}/p`, signal: abort.signal })),
    );
    expect(error).toMatchObject({ kind: "interrupted", message: "interrupted by SIGINT" });
    expect(await world.object(`${at}/job.log`)).toBe("begun\nbye\n");
    expect(JSON.parse(await world.object(`${at}/job.json`))).toMatchObject({
      status: 143,
      reason: "its caller interrupted it",
    });
    expect((await world.instance()).State?.Name).toBe("terminated");
  });

  test("an update that failed: no job, no machine, and why", async () => {
    await using world = await World.open(
      "bake-ami: why run=boot-1 web: update: step 10-x.sh ended with status 7\n" +
        "bake-ami: phase=update run=boot-1 result=failed services=web failed=web not-started=- init=-\n",
    );
    const error = await failureOf(runJob(await world.job("touch /root/ran")));
    expect(error.kind).toBe("phase-failed");
    expect(error.message).toMatch(/^the update of i-[0-9a-f]+ failed: web, so the job was not started$/);
    expect(error.details).toEqual(["web: update: step 10-x.sh ended with status 7"]);
    expect((await world.machine.exec("ls /root/ran")).status).not.toBe(0);
    expect((await world.instance()).State?.Name).toBe("terminated");
  });

  test("a machine that goes down while it is followed: the bucket tells the end and the rest", async () => {
    await using world = await World.open();
    let isDown = false;
    const options = await world.job("echo begun; trap 'echo last words; exit 1' TERM; sleep 1000 & wait", {
      log: `s3://${bucket}/p`,
    });
    world.sink.onWrite = () => {
      if (isDown) return;
      isDown = true;
      void world.machine.stop(30).then(() => world.instanceGoes());
    };
    const result = await runJob(options);
    expect(result).toMatchObject({ status: 1, reason: "the machine was shut down while it ran" });
    expect(world.sink.text).toBe("begun\nlast words\n");
    expect(world.said).toMatch(/the job's machine i-\w+ is gone/);
  });

  test("a machine that goes without a log is an error that says so", async () => {
    await using world = await World.open();
    world.sink.onWrite = () => {
      world.sink.onWrite = () => undefined;
      void world.machine.stop(30).then(() => world.instanceGoes());
    };
    const error = await failureOf(runJob(await world.job("echo begun; sleep 1000")));
    expect(error.kind).toBe("failed");
    expect(error.message).toMatch(/the job's machine i-\w+ is gone: it is terminated/);
    expect(error.hint).toContain("--log keeps the log");
  });

  test("a log that cannot be sent: a warning, and the job's status", async () => {
    await using world = await World.open();
    const options = await world.job("echo out", { log: `s3://${bucket}/p` });
    await world.s3.send(new DeleteBucketCommand({ Bucket: bucket }));
    const result = await runJob(options);
    expect(result).toMatchObject({ status: 0, log: { kind: "failed", why: "there is no such bucket" } });
    expect(world.said).toContain(
      `could not put the log below s3://${bucket}/${at}/: there is no such bucket`,
    );
    expect((await world.instance()).State?.Name).toBe("terminated");
  });

  test("a machine that is kept", async () => {
    await using world = await World.open();
    const result = await runJob(await world.job("exit 1", { keep: true }));
    expect(result).toMatchObject({ status: 1, kept: true });
    const instance = await world.instance();
    expect(instance.State?.Name).toBe("running");
    expect(instance.Tags?.some(({ Key }) => Key === "bake-ami:expires")).toBe(false);
    // The unit of a job that failed is a failed one.
    expect((await world.machine.exec("systemctl is-system-running")).stdout).toBe("degraded\n");
  });

  test("started and left alone; two callers attach later, and both get all of it", async () => {
    await using world = await World.open();
    const log = `s3://${bucket}/p`;
    const options = await world.job("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; exit 6", { log });
    const started = await startJob(options);
    const expires = (await world.instance()).Tags?.find(({ Key }) => Key === "bake-ami:expires")?.Value ?? "";
    expect(Date.parse(expires)).toBeGreaterThan(Date.now() + 3600_000);
    const attach = async (): Promise<{ text: string; status: number }> => {
      const sink = new Kept();
      const { cloud, listener, signal } = options.launch;
      const { instance } = started;
      const result = await attachJob({ cloud, instance, target: world.machine.ssh, sink, listener, signal });
      expect(result.log).toEqual({ kind: "ok", url: `${log}/20260102-030405-abcdef/0/` });
      return { text: sink.text, status: result.status };
    };
    const whole = { text: "1\n2\n3\n4\n5\n6\n", status: 6 };
    expect(await Promise.all([attach(), attach()])).toEqual([whole, whole]);
    expect((await world.instance()).State?.Name).toBe("terminated");
  });

  test("a machine without a job", async () => {
    await using world = await World.open();
    const { launch } = await world.job("true");
    const { instance } = await startJob(await world.job("true", { keep: true }));
    await world.machine.run("rm -r /var/lib/bake-ami/job.d/order");
    const attach = attachJob({ ...launch, instance, target: world.machine.ssh, sink: world.sink });
    // The directory is there, the order is not.
    expect(await failureOf(attach)).toMatchObject({ kind: "usage", message: "this machine has no job" });
  });
});
