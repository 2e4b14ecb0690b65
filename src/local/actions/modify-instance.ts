import { z } from "zod";
import { instanceTypeNamed } from "../instance-types.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlValue } from "../protocol/xml.ts";
import type { Instance, State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { groupsXml } from "./instance-xml.ts";
import { checkedUserData, typeFor } from "./launch-checks.ts";
import { carryOut, movePorts, type Move } from "./port-moves.ts";

const parameters = z.strictObject({
  InstanceId: text,
  GroupId: list(text),
  InstanceType: z.strictObject({ Value: text }).optional(),
  UserData: z.strictObject({ Value: text }).optional(),
  DisableApiTermination: z.strictObject({ Value: flag }).optional(),
  InstanceInitiatedShutdownBehavior: z.strictObject({ Value: z.enum(["stop", "terminate"]) }).optional(),
});

type Request = z.output<typeof parameters>;

/** @throws ApiError unless exactly one attribute is given, as EC2 has it. */
function checkOne({ InstanceId, GroupId, ...rest }: Request): void {
  const given = Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (GroupId.length > 0) given.push("GroupId");
  if (given.length === 1) return;
  throw given.length === 0
    ? new ApiError("MissingParameter", `The request must contain an attribute of ${InstanceId} to modify`)
    : new ApiError(
        "InvalidParameterCombination",
        `Fields for multiple attribute types specified: ${given.join(", ")}`,
      );
}

async function regroup(
  context: Context,
  draft: State,
  instance: Instance,
  groupIds: readonly string[],
): Promise<Move[]> {
  if (instance.state === "shutting-down" || instance.state === "terminated") {
    throw new ApiError(
      "IncorrectInstanceState",
      `The instance '${instance.id}' is not in a state in which its groups can be changed: ${instance.state}`,
    );
  }
  const groups = byIds("group", [...new Set(groupIds)], draft.securityGroups, ({ id }) => id);
  instance.groupIds = groups.map(({ id }) => id);
  openPorts(draft, instance.groupIds);
  return await movePorts(context, draft, [instance]);
}

/** @throws ApiError `InvalidInstanceAttributeValue`, as EC2 has it here, for a type that is not there */
function checkedType(name: string, { architecture }: Instance): string {
  if (instanceTypeNamed(name) === undefined) {
    throw new ApiError(
      "InvalidInstanceAttributeValue",
      `The instance type '${name}' does not exist. The local cloud's types are shown by DescribeInstanceTypes.`,
    );
  }
  return typeFor(name, architecture).name;
}

function protect(instance: Instance, isProtected: boolean): void {
  if (isProtected && instance.spot === true) {
    throw new ApiError(
      "UnsupportedOperation",
      `The Spot Instance '${instance.id}' cannot be protected from termination: disableApiTermination.`,
    );
  }
  if (isProtected) instance.isProtected = true;
  else delete instance.isProtected;
}

/** What EC2 changes of a stopped instance only. */
function requireStopped(instance: Instance, attribute: string): void {
  if (instance.state === "stopped") return;
  throw new ApiError(
    "IncorrectInstanceState",
    `The instance '${instance.id}' must be stopped for its ${attribute} to be changed; it is ${instance.state}.`,
  );
}

const shownAttributes = [
  "disableApiTermination",
  "ebsOptimized",
  "groupSet",
  "instanceInitiatedShutdownBehavior",
  "instanceType",
  "rootDeviceName",
  "userData",
] as const;

function attributeXml(state: State, it: Instance, name: (typeof shownAttributes)[number]): XmlValue {
  switch (name) {
    case "disableApiTermination":
      return { value: it.isProtected === true };
    case "ebsOptimized":
      return { value: it.ebsOptimized === true };
    case "groupSet":
      return groupsXml(state, it);
    case "instanceInitiatedShutdownBehavior":
      return { value: it.shutdownBehavior };
    case "instanceType":
      return { value: it.type };
    case "rootDeviceName":
      return { value: it.volume.deviceName };
    case "userData":
      return { value: it.userData };
  }
}

export const modifyInstanceActions = [
  action("ModifyInstanceAttribute", parameters, async (context, request) => {
    checkOne(request);
    const moves = await context.change(async (draft) => {
      const instance = byId("instance", request.InstanceId, draft.instances, ({ id }) => id);
      if (request.InstanceInitiatedShutdownBehavior !== undefined) {
        instance.shutdownBehavior = request.InstanceInitiatedShutdownBehavior.Value;
      }
      if (request.DisableApiTermination !== undefined) protect(instance, request.DisableApiTermination.Value);
      if (request.InstanceType !== undefined) {
        requireStopped(instance, "instanceType");
        instance.type = checkedType(request.InstanceType.Value, instance);
      }
      if (request.UserData !== undefined) {
        requireStopped(instance, "userData");
        const userData = checkedUserData(request.UserData.Value);
        if (userData === undefined) delete instance.userData;
        else instance.userData = userData;
      }
      return request.GroupId.length > 0 ? await regroup(context, draft, instance, request.GroupId) : [];
    });
    await carryOut(context, moves);
    return { return: true };
  }),

  action(
    "DescribeInstanceAttribute",
    z.strictObject({ InstanceId: text, Attribute: z.enum(shownAttributes) }),
    async (context, request) => {
      const state = await context.read();
      const instance = byId("instance", request.InstanceId, state.instances, ({ id }) => id);
      return {
        instanceId: instance.id,
        [request.Attribute]: attributeXml(state, instance, request.Attribute),
      };
    },
  ),
];
