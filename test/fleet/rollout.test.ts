import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import {
  createLaunchTemplate,
  createTemplateVersion,
  type LaunchTemplate,
} from "../../src/aws/launch-templates.ts";
import type { BakeError } from "../../src/base/errors.ts";
import { rollout, type RolloutOptions } from "../../src/fleet/rollout.ts";
import { intervene, refreshError, type RefreshEnd } from "../../src/fleet/rollout-follow.ts";
import type { Event } from "../../src/report/events.ts";
import { noModel } from "../support/api-model.ts";
import { failureOf } from "../support/failure.ts";
import { clientOptions, stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { actionsOf, inputsOf, openWire, type Wire, type WireAnswer, type WireCall } from "../support/wire.ts";

const { signal } = new AbortController();
const group = "web-servers";
const began = Date.parse("2026-01-02T03:04:05Z") / 1000;

/** An instance refresh as Auto Scaling shows it. */
function refresh(Status: string, rest: object = {}): object {
  return {
    InstanceRefreshId: "refresh-1",
    AutoScalingGroupName: group,
    Status,
    StartTime: began,
    PercentageComplete: 0,
    InstancesToUpdate: 4,
    ...rest,
  };
}

/** What Auto Scaling says: a group that has this, and refreshes that stand so, one look after the other. */
interface Script {
  has: object;
  looks: object[][];
  start: WireAnswer;
  activities: object[];
}

describe.skipIf(noModel !== undefined)(`rollout on the wire ${noModel ?? ""}`, () => {
  let local: StateOnlyCloud;
  let template: LaunchTemplate;
  let script: Script;
  let wire: Wire;
  let clock: VirtualClock;
  let events: Event[];
  let options: RolloutOptions;

  beforeEach(async () => {
    clock = new VirtualClock();
    events = [];
    local = await stateOnlyCloud({ now: clock.now });
    const own = clientOptions(local.cloud);
    wire = openWire((call) => answer(call), own.requestHandler);
    const cloud = new Cloud({ ...own, region: "eu-central-1", requestHandler: wire.handler, clock });
    template = await clock.run(() => makeTemplate(cloud));
    script = {
      has: {
        LaunchTemplate: { LaunchTemplateId: template.id, LaunchTemplateName: template.name, Version: "1" },
      },
      looks: [[], [refresh("Successful", { PercentageComplete: 100, InstancesToUpdate: 0 })]],
      start: { value: { InstanceRefreshId: "refresh-1" } },
      activities: [],
    };
    options = {
      cloud,
      template,
      version: 2,
      group,
      minHealthy: 90,
      maxHealthy: undefined,
      warmupSeconds: undefined,
      skipMatching: false,
      autoRollback: true,
      followSeconds: 7200,
      listener: (event) => events.push(event),
      signal,
    };
  });

  afterEach(async () => {
    expect(wire.problems).toEqual([]);
    await local[Symbol.asyncDispose]();
  });

  async function makeTemplate(cloud: Cloud): Promise<LaunchTemplate> {
    const data = { ImageId: local.imageId, InstanceType: "t3.micro" } as const;
    const made = await createLaunchTemplate(
      cloud,
      { name: "bake-ami-web", description: "1", data, tags: new Map(), clientToken: "a" },
      signal,
    );
    for (const description of ["2", "3"]) {
      await createTemplateVersion(cloud, made.id, { description, data, clientToken: description }, signal);
    }
    return made;
  }

  function answer({ action, input }: WireCall): WireAnswer {
    switch (action) {
      case "DescribeAutoScalingGroups": {
        const names = String(Reflect.get(Object(input), "AutoScalingGroupNames") ?? group);
        const all = {
          AutoScalingGroupName: group,
          MinSize: 1,
          MaxSize: 8,
          DesiredCapacity: 4,
          DefaultCooldown: 300,
          AvailabilityZones: ["eu-central-1a"],
          HealthCheckType: "EC2",
          CreatedTime: began,
          Instances: [1, 2, 3, 4].map((n) => ({
            InstanceId: `i-${n}`,
            AvailabilityZone: "eu-central-1a",
            LifecycleState: "InService",
            HealthStatus: "Healthy",
            ProtectedFromScaleIn: false,
          })),
          ...script.has,
        };
        return { value: { AutoScalingGroups: names === group ? [all] : [] } };
      }
      case "DescribeInstanceRefreshes":
        return {
          value: {
            InstanceRefreshes: (script.looks.length > 1 ? script.looks.shift() : script.looks[0]) ?? [],
          },
        };
      case "StartInstanceRefresh":
        return script.start;
      case "CancelInstanceRefresh":
      case "RollbackInstanceRefresh":
        return { value: { InstanceRefreshId: "refresh-1" } };
      case "DescribeScalingActivities":
        return { value: { Activities: script.activities } };
      default:
        return { error: "InvalidAction", message: action };
    }
  }

  const run = (rest: Partial<RolloutOptions> = {}): Promise<RefreshEnd> =>
    clock.run(() => rollout({ ...options, ...rest }));
  const refused = async (rest: Partial<RolloutOptions> = {}): Promise<BakeError> => {
    const error = await failureOf(run(rest));
    expect(error.kind).toBe("usage");
    expect(actionsOf(wire)).not.toContain("StartInstanceRefresh");
    return error;
  };
  const notes = (): string[] => events.flatMap((event) => (event.type === "note" ? [event.message] : []));

  test("what is asked for: a pinned version, the rate, and the way back", async () => {
    const end = await run({ maxHealthy: 120, warmupSeconds: 60, skipMatching: true });
    expect(refreshError(end)).toBeUndefined();
    expect(inputsOf(wire, "StartInstanceRefresh")).toEqual([
      {
        AutoScalingGroupName: group,
        Strategy: "Rolling",
        DesiredConfiguration: { LaunchTemplate: { LaunchTemplateId: template.id, Version: "2" } },
        Preferences: {
          MinHealthyPercentage: 90,
          SkipMatching: true,
          AutoRollback: "true",
          MaxHealthyPercentage: "120",
          InstanceWarmup: 60,
        },
      },
    ]);
  });

  test("the defaults leave warm-up and growth to the group; the template's default is the version", async () => {
    await run({ version: undefined, autoRollback: false, minHealthy: 50 });
    expect(inputsOf(wire, "StartInstanceRefresh")).toEqual([
      expect.objectContaining({
        DesiredConfiguration: { LaunchTemplate: { LaunchTemplateId: template.id, Version: "1" } },
        Preferences: { MinHealthyPercentage: 50, SkipMatching: false, AutoRollback: "false" },
      }),
    ]);
  });

  test("a group of mixed instances keeps its policy but for the version", async () => {
    const policy = {
      LaunchTemplate: {
        LaunchTemplateSpecification: { LaunchTemplateId: template.id, Version: "1" },
        Overrides: [{ InstanceType: "t3.small", WeightedCapacity: "2" }],
      },
      InstancesDistribution: { OnDemandBaseCapacity: 1, SpotAllocationStrategy: "price-capacity-optimized" },
    };
    script.has = { MixedInstancesPolicy: policy };
    await run();
    expect(inputsOf(wire, "StartInstanceRefresh")).toEqual([
      expect.objectContaining({
        DesiredConfiguration: {
          MixedInstancesPolicy: {
            ...policy,
            LaunchTemplate: {
              ...policy.LaunchTemplate,
              LaunchTemplateSpecification: { LaunchTemplateId: template.id, Version: "2" },
            },
          },
        },
      }),
    ]);
  });

  test("it is followed: each change is told once", async () => {
    const half = {
      PercentageComplete: 50,
      InstancesToUpdate: 2,
      StatusReason: "Waiting for instances to warm up",
    };
    script.looks = [
      [],
      [refresh("Pending")],
      [refresh("InProgress", half)],
      [refresh("InProgress", half)],
      [refresh("InProgress", { PercentageComplete: 75, InstancesToUpdate: 1 })],
      [refresh("Successful", { PercentageComplete: 100, InstancesToUpdate: 0 })],
    ];
    const end = await run();
    expect(notes()).toEqual([
      "web-servers: 4 instances to version 2 of bake-ami-web",
      "Pending: 0 %, 4 instances left",
      "InProgress: 50 %, 2 instances left: Waiting for instances to warm up",
      "InProgress: 75 %, 1 instance left",
      "Successful: 100 %, 0 instances left",
    ]);
    expect(end).toMatchObject({ group, state: { id: "refresh-1", status: "Successful" } });
    // Which refresh, once it is known.
    expect(inputsOf(wire, "DescribeInstanceRefreshes").at(-1)).toEqual({
      AutoScalingGroupName: group,
      InstanceRefreshIds: ["refresh-1"],
    });
  });

  test("one that fails and is undone: an error with the reasons of Auto Scaling and of EC2", async () => {
    const back = {
      RollbackReason: "An instance failed",
      PercentageCompleteOnRollback: 50,
      InstancesToUpdateOnRollback: 1,
    };
    script.looks = [
      [],
      [refresh("RollbackInProgress", { RollbackDetails: back })],
      [refresh("RollbackSuccessful", { StatusReason: "Rolled back", RollbackDetails: back })],
    ];
    const activity = {
      ActivityId: "a",
      AutoScalingGroupName: group,
      Cause: "at 03:05 an instance was started",
      StatusCode: "Failed",
    };
    script.activities = [
      {
        ...activity,
        StartTime: began + 60,
        StatusMessage: "We currently do not have sufficient t3.micro capacity",
      },
      {
        ...activity,
        StartTime: began + 30,
        StatusMessage: "We currently do not have sufficient t3.micro capacity",
      },
      {
        ...activity,
        StartTime: began + 20,
        StatusCode: "Successful",
        Cause: "an EC2 health check indicating it has been terminated",
      },
      { ...activity, StartTime: began - 60, StatusMessage: "of yesterday" },
    ];
    const error = refreshError(await run());
    expect(notes()).toContain("RollbackInProgress: 50 %, 1 instance left: An instance failed");
    expect(error).toMatchObject({
      kind: "failed",
      message: "the instance refresh of web-servers failed and was undone",
      details: [
        "Rolled back",
        "An instance failed",
        "We currently do not have sufficient t3.micro capacity",
        "an EC2 health check indicating it has been terminated",
      ],
    });
  });

  test.each(["Failed", "Cancelled", "RollbackFailed", "SomethingNew"])("%s is an error", async (status) => {
    // A status that this program does not know yet is not the end.
    script.looks = [[], [refresh(status === "SomethingNew" ? "InProgress" : status)], [refresh("Failed")]];
    expect(refreshError(await run())?.kind).toBe("failed");
  });

  test.each([
    ["$Latest", 3],
    ["$Default", 1],
    [undefined, 1],
  ])(
    "a group that is set to %s could not be brought back: the number that it means",
    async (version, means) => {
      script.has = {
        LaunchTemplate: {
          LaunchTemplateId: template.id,
          ...(version === undefined ? {} : { Version: version }),
        },
      };
      const error = await refused();
      expect(error.message).toContain(
        `${group} is set to version ${version ?? "$Default"} of its launch template`,
      );
      expect(error.hint).toContain(
        `aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${group} --launch-template LaunchTemplateId=${template.id},Version=${means}`,
      );
    },
  );

  test("neither could a group that is set to a version that is gone, or that has no launch template", async () => {
    script.has = { LaunchTemplate: { LaunchTemplateId: template.id, Version: "9" } };
    expect((await refused()).message).toMatch(/set to version 9 of bake-ami-web, which is deleted/);
    script.has = { LaunchConfigurationName: "old" };
    expect((await refused()).message).toBe(`${group} starts its instances from old`);
  });

  test("a single type's template in a policy counts too", async () => {
    script.has = {
      MixedInstancesPolicy: {
        LaunchTemplate: {
          LaunchTemplateSpecification: { LaunchTemplateId: template.id, Version: "1" },
          Overrides: [
            {
              InstanceType: "t4g.small",
              LaunchTemplateSpecification: { LaunchTemplateId: template.id, Version: "$Latest" },
            },
          ],
        },
      },
    };
    expect((await refused()).message).toContain("set to version $Latest");
  });

  test("no such group, no such version", async () => {
    const error = await refused({ group: "web-server" });
    expect(error.message).toBe("there is no Auto Scaling group web-server here");
    expect(error.hint).toContain(group);
    expect((await refused({ version: 9 })).hint).toBe("it has: 3, 2, 1");
  });

  test("another refresh under way: the same is followed, another refused", async () => {
    const to = (Version: string): object => ({
      DesiredConfiguration: { LaunchTemplate: { LaunchTemplateId: template.id, Version } },
    });
    script.looks = [[refresh("InProgress", to("3"))]];
    const error = await refused();
    expect(error.message).toContain(`has an instance refresh to version 3 of ${template.id} under way`);
    expect(error.hint).toMatch(/--follow.*--rollback.*--cancel/);
    script.looks = [[refresh("InProgress", to("2"))], [refresh("Successful", to("2"))]];
    const end = await run();
    expect(end.state.status).toBe("Successful");
    expect(actionsOf(wire)).not.toContain("StartInstanceRefresh");
  });

  test("a lost answer to the start: the refresh that runs is ours", async () => {
    const ours = {
      DesiredConfiguration: { LaunchTemplate: { LaunchTemplateId: template.id, Version: "2" } },
    };
    script.start = "lost";
    script.looks = [[], [refresh("Pending", ours)], [refresh("Successful", ours)]];
    const end = await run();
    expect(end.state.id).toBe("refresh-1");
    expect(actionsOf(wire).filter((action) => action === "StartInstanceRefresh")).toHaveLength(1);
  });

  test("somebody was quicker: their refresh is not taken for ours", async () => {
    script.start = {
      error: "InstanceRefreshInProgress",
      message: "An Instance Refresh is already in progress",
    };
    const error = await failureOf(run());
    expect(error.kind).toBe("cloud");
    expect(error.message).toContain("An Instance Refresh is already in progress");
  });

  test("an interruption leaves it at work, and says how to take it up again", async () => {
    const abort = new AbortController();
    script.looks = [[], [refresh("InProgress")]];
    const listener = (event: Event): void => {
      if (event.type === "note" && event.message.startsWith("InProgress")) abort.abort();
    };
    const error = await failureOf(run({ listener, signal: abort.signal }));
    expect(error.kind).toBe("interrupted");
    expect(error.message).toContain(`the instance refresh of ${group} goes on`);
    expect(error.hint).toContain(`\`bake-ami rollout --asg ${group} --follow\``);
    expect(actionsOf(wire)).not.toContain("CancelInstanceRefresh");
  });

  test("it is not followed for ever", async () => {
    script.looks = [[], [refresh("InProgress")]];
    const error = await failureOf(run({ followSeconds: 600 }));
    expect(error.kind).toBe("timeout");
    expect(error.message).toMatch(/gave up after 600 s .* goes on/);
  });

  test("follow, cancel, roll back what is under way", async () => {
    const { cloud, listener } = options;
    const follow = { cloud, followSeconds: 60, listener, signal };
    const on = (what: "follow" | "cancel" | "rollback", ...looks: object[][]): Promise<RefreshEnd> => {
      script.looks = looks;
      return clock.run(() => intervene(follow, group, what));
    };
    const followed = await on("follow", [refresh("InProgress")], [refresh("Successful")]);
    expect(refreshError(followed, "follow")).toBeUndefined();
    const cancelled = await on("cancel", [refresh("InProgress")], [refresh("Cancelled")]);
    expect(refreshError(cancelled, "cancel")).toBeUndefined();
    const undone = await on("rollback", [refresh("InProgress")], [refresh("RollbackSuccessful")]);
    expect(refreshError(undone, "rollback")).toBeUndefined();
    expect(inputsOf(wire, "CancelInstanceRefresh")).toEqual([{ AutoScalingGroupName: group }]);
    expect(inputsOf(wire, "RollbackInstanceRefresh")).toEqual([{ AutoScalingGroupName: group }]);
    const over = await failureOf(on("cancel", [refresh("Failed")]));
    expect(over.message).toBe(`no instance refresh of ${group} is under way`);
    const never = await failureOf(on("follow", []));
    expect(never.kind).toBe("usage");
  });

  test("a caller without rights is told which", async () => {
    script.start = {
      status: 403,
      error: "AccessDenied",
      message:
        "User: arn:aws:iam::1:user/me is not authorized to perform: autoscaling:StartInstanceRefresh on resource: arn:aws:x",
    };
    const error = await failureOf(run());
    expect(error.hint).toContain('"Action":"autoscaling:StartInstanceRefresh"');
  });
});
