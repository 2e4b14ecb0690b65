import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import { selectMachines } from "../../src/fleet/deploy-machines.ts";
import {
  commandError,
  deployByCommand,
  type CommandDeployed,
  type CommandDeployOptions,
} from "../../src/fleet/deploy-ssm.ts";
import type { Event } from "../../src/report/events.ts";
import { noModel } from "../support/api-model.ts";
import { failureOf } from "../support/failure.ts";
import { anInstance } from "../support/resources.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { actionsOf, inputsOf, openWire, type Wire, type WireAnswer } from "../support/wire.ts";

const { signal } = new AbortController();
const run = "20260102-030405-abcdef";

function machine(id: string, tags: Readonly<Record<string, string>> = {}): ReturnType<typeof anInstance> {
  return anInstance(id, {
    tags: new Map(
      Object.entries({
        "bake-ami:role": "machine",
        "bake-ami:services": "web",
        "bake-ami:channel": "live",
        "bake-ami:bundles": "s3://bucket/prefix/",
        ...tags,
      }),
    ),
  });
}

/** What Systems Manager shows of the command, and of each machine, one look after the other. */
interface Look {
  readonly status: string;
  readonly targets?: number;
  readonly machines?: Readonly<Record<string, readonly [status: string, details: string, output?: string]>>;
}

describe.skipIf(noModel !== undefined)(`deploy --via ssm on the wire ${noModel ?? ""}`, () => {
  let wire: Wire;
  let clock: VirtualClock;
  let events: Event[];
  let looks: Look[];
  let send: WireAnswer;
  let listed: WireAnswer | undefined;

  beforeEach(() => {
    clock = new VirtualClock();
    events = [];
    looks = [{ status: "Success", targets: 1, machines: { "i-1": ["Success", "Success"] } }];
    send = { value: { Command: { CommandId: "11111111-2222-3333-4444-555555555555", Status: "Pending" } } };
    listed = undefined;
    wire = openWire(({ action, input }) => {
      const [look] = looks;
      switch (action) {
        case "SendCommand":
          return send;
        case "ListCommands": {
          if (listed !== undefined && JSON.stringify(input).includes("InvokedAfter")) return listed;
          if (looks.length > 1) looks.shift();
          const { status, targets = 1 } = looks[0] ?? { status: "Success" };
          return { value: { Commands: [{ Status: status, StatusDetails: status, TargetCount: targets }] } };
        }
        case "ListCommandInvocations":
          return {
            value: {
              CommandInvocations: Object.entries(look?.machines ?? {}).map(([InstanceId, each]) => ({
                InstanceId,
                Status: each[0],
                StatusDetails: each[1],
                CommandPlugins: [
                  {
                    Name: "aws:runShellScript",
                    ResponseCode: each[0] === "Success" ? 0 : 1,
                    Output: each[2] ?? "",
                  },
                ],
              })),
            },
          };
        case "CancelCommand":
          return { value: {} };
        default:
          return { error: "UnknownOperationException", message: action };
      }
    });
  });

  afterEach(() => {
    expect(wire.problems).toEqual([]);
  });

  function options(rest: Partial<CommandDeployOptions> = {}): CommandDeployOptions {
    const services = rest.services ?? ["web"];
    const tags = rest.tags ?? new Map<string, string>();
    return {
      cloud: new Cloud({
        region: "eu-central-1",
        credentials: { accessKeyId: "a", secretAccessKey: "b" },
        requestHandler: wire.handler,
        clock,
      }),
      owner: "somebody",
      services,
      tags,
      machines: selectMachines([machine("i-1")], { services, tags: new Map(), machines: [] }),
      byId: false,
      verify: false,
      max: 10,
      maxErrors: 1,
      runSeconds: 600,
      run,
      listener: (event) => events.push(event),
      signal,
      ...rest,
    };
  }

  const deploy = (rest: Partial<CommandDeployOptions> = {}): Promise<CommandDeployed> =>
    clock.run(() => deployByCommand(options(rest)));

  test("what is sent: the script for the machines with these tags, at this rate", async () => {
    const deployed = await deploy({ tags: new Map([["stage", "test"]]), max: 50, maxErrors: 3 });
    expect(commandError(deployed)).toBeUndefined();
    const script = readFileSync(join(packageRoot(), "phases", "deploy.sh"), "utf8");
    expect(inputsOf(wire, "SendCommand")).toEqual([
      {
        DocumentName: "AWS-RunShellScript",
        Comment: `bake-ami deploy ${run}`,
        Targets: [
          { Key: "tag:bake-ami:owner", Values: ["somebody"] },
          { Key: "tag:bake-ami:role", Values: ["machine"] },
          { Key: "tag:bake-ami:services", Values: ["web"] },
          { Key: "tag:stage", Values: ["test"] },
        ],
        Parameters: {
          commands: [`set -- ${run} 585 update web`, ...script.trimEnd().split("\n")],
          executionTimeout: ["600"],
        },
        TimeoutSeconds: 600,
        MaxConcurrency: "50",
        // Errors that are put up with: the third one stops it.
        MaxErrors: "2",
      },
    ]);
  });

  test("machines that were named are addressed by id; --verify is a word for the script", async () => {
    await deploy({ byId: true, verify: true });
    expect(inputsOf(wire, "SendCommand")).toEqual([
      expect.objectContaining({ Targets: [{ Key: "InstanceIds", Values: ["i-1"] }] }),
    ]);
    expect(JSON.stringify(inputsOf(wire, "SendCommand"))).toContain(`set -- ${run} 585 verify web`);
  });

  test("every set of services that has one of those that are deployed is a value of the tag", async () => {
    const all = [
      machine("i-1"),
      machine("i-2", { "bake-ami:services": "db web" }),
      machine("i-3", { "bake-ami:services": "db" }),
      machine("i-4", { "bake-ami:services": "", "bake-ami:with": "web" }),
    ];
    const tagless = all.map((each) =>
      each.id === "i-4"
        ? { ...each, tags: new Map([...each.tags].filter(([key]) => key !== "bake-ami:services")) }
        : each,
    );
    const machines = selectMachines(tagless, { services: ["web"], tags: new Map(), machines: [] });
    expect(machines.map(({ instance }) => instance.id)).toEqual(["i-1", "i-2", "i-4"]);
    await deploy({ machines });
    expect(JSON.stringify(inputsOf(wire, "SendCommand"))).toContain(
      '{"Key":"tag:bake-ami:services","Values":["db web","web"]}',
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: "warning", message: "not reached by their tags: i-4" }),
    );
  });

  test("more than Run Command takes is refused before anything is sent", async () => {
    const tags = new Map(["a", "b", "c"].map((key) => [key, "x"]));
    expect((await failureOf(deploy({ tags }))).message).toMatch(/cannot be given 6 tags at once/);
    const many = Array.from({ length: 51 }, (_, n) =>
      machine(`i-${n}`, { "bake-ami:services": `web s${n}` }),
    );
    const machines = selectMachines(many, { services: ["web"], tags: new Map(), machines: [] });
    expect((await failureOf(deploy({ machines }))).message).toMatch(/51 different sets of services/);
    expect((await failureOf(deploy({ machines, byId: true }))).message).toMatch(/51 machines by id/);
    expect(actionsOf(wire)).toEqual([]);
  });

  test("a machine without a channel has nothing to take a bundle from", async () => {
    const none = anInstance("i-9", {
      tags: new Map([
        ["bake-ami:role", "machine"],
        ["bake-ami:services", "web"],
      ]),
    });
    const machines = selectMachines([none], { services: ["web"], tags: new Map(), machines: [] });
    const error = await failureOf(deploy({ machines }));
    expect(`${error.kind} ${error.message}`).toBe("usage i-9 has no channel");
    expect(actionsOf(wire)).toEqual([]);
  });

  test("it is followed machine by machine, and a failure shows what was printed", async () => {
    const output = "bake-ami: update failed: web\n";
    looks = [
      { status: "Pending" },
      { status: "InProgress", targets: 2, machines: { "i-1": ["InProgress", "InProgress"] } },
      {
        status: "InProgress",
        targets: 2,
        machines: { "i-1": ["Success", "Success"], "i-2": ["InProgress", "InProgress"] },
      },
      {
        status: "Failed",
        targets: 3,
        machines: { "i-1": ["Success", "Success"], "i-2": ["Failed", "Failed", output] },
      },
    ];
    const error = commandError(await deploy());
    expect(events.flatMap((event) => (event.type === "note" ? [event.message] : []))).toEqual([
      "command 11111111-2222-3333-4444-555555555555",
      "i-1: InProgress",
      "i-1: Success",
      "i-2: InProgress",
      "i-2: Failed",
    ]);
    expect(error?.kind).toBe("phase-failed");
    expect(error?.message).toBe("the deployment did not succeed on 1 of 3 machines, was not started on 1");
    expect(error?.details).toEqual(["i-2: Failed", "  bake-ami: update failed: web"]);
  });

  test("no machine with an agent", async () => {
    looks = [{ status: "Success", targets: 0 }];
    const error = commandError(await deploy());
    expect(error?.message).toBe("Run Command found no machine with these tags");
    expect(error?.hint).toContain("AmazonSSMManagedInstanceCore");
  });

  test("an interruption cancels the command everywhere", async () => {
    const abort = new AbortController();
    looks = [{ status: "InProgress" }];
    const listener = (event: Event): void => {
      if (event.type === "note") abort.abort();
    };
    const error = await failureOf(deploy({ listener, signal: abort.signal }));
    expect(error.kind).toBe("interrupted");
    expect(error.message).toContain("is cancelled where it had not begun, and being ended elsewhere");
    expect(inputsOf(wire, "CancelCommand")).toEqual([{ CommandId: "11111111-2222-3333-4444-555555555555" }]);
  });

  test("a command that never ends is cancelled too", async () => {
    looks = [{ status: "InProgress" }];
    const error = await failureOf(deploy({ runSeconds: 60 }));
    expect(error.kind).toBe("timeout");
    expect(actionsOf(wire).at(-1)).toBe("CancelCommand");
  });

  test("a lost answer: the command that was sent is found by its comment, and not sent again", async () => {
    const Comment = `bake-ami deploy ${run}`;
    send = "lost";
    listed = {
      value: {
        Commands: [{ CommandId: "99999999-2222-3333-4444-555555555555", Comment, Status: "Pending" }],
      },
    };
    const deployed = await deploy();
    expect(deployed.commandId).toBe("99999999-2222-3333-4444-555555555555");
    expect(actionsOf(wire).filter((action) => action === "SendCommand")).toHaveLength(1);
  });
});
