import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { RunInstancesCommand } from "@aws-sdk/client-ec2";
import { CreateBucketCommand, GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { expect, test } from "vitest";
import { viewOf } from "../../src/local/imds/instance-view.ts";
import { respond } from "../../src/local/imds/respond.ts";
import { serveLocalCloud } from "../../src/local/serve.ts";
import { writeRequest } from "../../src/launch/request-lines.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { freePort, noTestMachines } from "../support/nspawn.ts";
import { consoleSays, happened, machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const Bucket = "logs";

/** The local cloud's metadata service of one instance, on loopback. */
async function metadataOf(
  local: StateOnlyCloud,
  instanceId: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const view = viewOf(readFileSync(join(local.directory, "state.json"), "utf8"), instanceId);
    if (view === undefined) throw new Error("no such instance");
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    const { method = "", url: target = "" } = request;
    const answer = respond({ method, target, headers }, view, Date.now());
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.skipIf(noTestMachines).each(["dash", "bash"] as const)(
  `a machine with a role of the local cloud gets its secret and uploads its log, under %s${skipped}`,
  async (shell) => {
    await using local = await stateOnlyCloud();
    const abort = new AbortController();
    let served: Promise<void> = Promise.resolve();
    const endpoint = await new Promise<string>((resolve) => {
      served = serveLocalCloud({ cloud: local.cloud, port: 0, signal: abort.signal, onListening: resolve });
    });
    const s3 = new S3Client(clientOptions(local.cloud));
    await s3.send(new CreateBucketCommand({ Bucket }));
    const ssm = new SSMClient(clientOptions(local.cloud));
    await ssm.send(
      new PutParameterCommand({ Name: "/app/token", Value: "the\n'secret' \"ü\"", Type: "SecureString" }),
    );
    const userData = [
      "#cloud-config",
      ...writeRequest([
        { kind: "secret", service: "web", parameter: "token", name: "/app/token" },
        { kind: "log", url: `s3://${Bucket}/runs/one/` },
      ]),
      "{}",
    ].join("\n");
    const { Instances } = await local.ec2.send(
      new RunInstancesCommand({
        ImageId: local.imageId,
        MinCount: 1,
        MaxCount: 1,
        IamInstanceProfile: { Name: "app" },
        UserData: Buffer.from(userData).toString("base64"),
        MetadataOptions: { InstanceMetadataTags: "enabled" },
      }),
    );
    await using metadata = await metadataOf(local, Instances?.[0]?.InstanceId ?? "");
    using project = new Project({
      "services/web/service.yaml": "parameters: {token: {secret: true}}\n",
      "services/web/init.sh": sh("true"),
      "services/web/update.sh": sh(
        'test "$BAKE_TOKEN" = "$(printf "the\\n\'secret\' \\"ü\\"")"; echo updated',
      ),
    });
    await using machine = await machineWith(project.plan(), shell);
    await runPhase(machine, "init", ["--builder", "--metadata", metadata.url, "web"]);
    await machine.run(
      "rm /var/lib/bake-ami/builder; mkdir -p /etc/systemd/system.conf.d; cat >/etc/systemd/system.conf.d/endpoint.conf",
      `[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL=${endpoint}\n`,
    );
    await machine.reboot();
    await machine.booted();
    const { end, messages } = await happened(machine);
    expect(messages).toEqual([]);
    expect(end).toMatchObject({ phase: "update", result: "ok" });
    await consoleSays(machine, "bake-ami: log name=update.log result=ok reason=-", 20);
    const log = await s3.send(new GetObjectCommand({ Bucket, Key: "runs/one/0/update.log" }));
    expect(await log.Body?.transformToString()).toContain("updated");
    abort.abort();
    await served;
  },
);
