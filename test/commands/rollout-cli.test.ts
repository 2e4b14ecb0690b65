import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { createLaunchTemplate } from "../../src/aws/launch-templates.ts";
import { requestHandler } from "../../src/local/sdk-handler.ts";
import { noModel } from "../support/api-model.ts";
import { bakeAmi, type CliOptions, type CliResult } from "../support/cli.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { actionsOf, openWire, type Wire } from "../support/wire.ts";

const { signal } = new AbortController();
const group = "web-servers";

/** The command line against an endpoint that has EC2 of the local cloud, and Auto Scaling from a script. */
describe.skipIf(noModel !== undefined)(`bake-ami rollout ${noModel ?? ""}`, () => {
  let local: StateOnlyCloud;
  let wire: Wire;
  let server: Server;
  let templateId: string;
  let statuses: string[];
  let endpoint = "";

  beforeEach(async () => {
    local = await stateOnlyCloud();
    const cloud = new Cloud(clientOptions(local.cloud));
    const template = await createLaunchTemplate(
      cloud,
      {
        name: "bake-ami-web",
        description: "1",
        data: { ImageId: local.imageId },
        tags: new Map([["bake-ami:owner", "me"]]),
        clientToken: "a",
      },
      signal,
    );
    templateId = template.id;
    statuses = ["InProgress", "Successful"];
    wire = openWire(({ action }) => {
      switch (action) {
        case "DescribeAutoScalingGroups":
          return {
            value: {
              AutoScalingGroups: [
                {
                  AutoScalingGroupName: group,
                  MinSize: 1,
                  MaxSize: 1,
                  DesiredCapacity: 1,
                  DefaultCooldown: 1,
                  AvailabilityZones: ["a"],
                  HealthCheckType: "EC2",
                  CreatedTime: 1,
                  LaunchTemplate: { LaunchTemplateId: templateId, Version: "1" },
                },
              ],
            },
          };
        case "DescribeInstanceRefreshes": {
          const started = actionsOf(wire).includes("StartInstanceRefresh");
          const Status = statuses.length > 1 && started ? statuses.shift() : statuses[0];
          const refresh = { InstanceRefreshId: "r-1", Status, StatusReason: "because", StartTime: 1 };
          return { value: { InstanceRefreshes: started ? [refresh] : [] } };
        }
        case "StartInstanceRefresh":
          return { value: { InstanceRefreshId: "r-1" } };
        case "DescribeScalingActivities":
          return { value: { Activities: [] } };
        default:
          return { error: "InvalidAction", message: action };
      }
    }, requestHandler(local.cloud));
    server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const { authorization = "" } = request.headers;
        const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(authorization)?.[1] ?? "";
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        void wire.handler
          .handle({
            method: "POST",
            hostname: `${service}.local`,
            path: "/",
            headers,
            body: Buffer.concat(pieces).toString(),
          })
          .then(({ response: answer }) => {
            response.writeHead(answer.statusCode, answer.headers);
            response.end(answer.body);
          });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    endpoint = typeof address === "object" ? `http://127.0.0.1:${address?.port ?? 0}` : "";
  });
  afterEach(async () => {
    expect(wire.problems).toEqual([]);
    server.closeAllConnections();
    server.close();
    await local[Symbol.asyncDispose]();
  });

  const rollout = (args: readonly string[], onLine?: NonNullable<CliOptions["onLine"]>): Promise<CliResult> =>
    bakeAmi(["rollout", ...args, "--asg", group, "--owner", "me"], {
      env: {
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: "local",
        AWS_ACCESS_KEY_ID: "local",
        AWS_SECRET_ACCESS_KEY: "local",
        BAKE_AMI_DATA_DIR: local.directory,
      },
      ...(onLine === undefined ? {} : { onLine }),
    });

  test("one that succeeds: the result alone on stdout, status 0", async () => {
    const { status, stdout, stderr } = await rollout(["web"]);
    expect(stderr).toContain("InProgress: 0 %");
    expect(stdout).toBe(`${group} - Successful\n`);
    expect(status).toBe(0);
  });

  test("one that is undone: the result and the reason, status 1", async () => {
    statuses = ["RollbackInProgress", "RollbackSuccessful"];
    const { status, stdout, stderr } = await rollout(["web"]);
    expect(stdout).toBe(`${group} - RollbackSuccessful\n`);
    expect(stderr).toMatch(/bake-ami: the instance refresh of web-servers failed and was undone\n +because/);
    expect(status).toBe(1);
  });

  test("Ctrl-C: status 130, the refresh goes on, and can be taken up again", async () => {
    statuses = ["InProgress"];
    const { status, stderr } = await rollout(["web", "--json"], (line, child) => {
      if (line.includes("InProgress")) child.kill("SIGINT");
    });
    expect(status).toBe(130);
    expect(stderr).toContain(`the instance refresh of ${group} goes on`);
    expect(stderr).toContain(`\`bake-ami rollout --asg ${group} --follow --owner me\``);
    statuses = ["Successful"];
    const again = await rollout(["--follow"]);
    expect(again.stdout).toBe(`${group} - Successful\n`);
    expect(actionsOf(wire).filter((action) => action === "StartInstanceRefresh")).toHaveLength(1);
  });

  test("a template that is not there", async () => {
    const { status, stderr } = await rollout(["db"]);
    expect(stderr).toContain("there is no launch template bake-ami-db here");
    expect(status).toBe(2);
    expect(actionsOf(wire)).toEqual([]);
  });
});
