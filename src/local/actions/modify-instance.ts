import { z } from "zod";
import { instanceTypeNamed } from "../instance-types.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { list, text } from "../protocol/query.ts";
import type { Instance, State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { checkedUserData, typeFor } from "./launch-checks.ts";
import { carryOut, movePorts, type Move } from "./port-moves.ts";

const parameters = z.strictObject({
  InstanceId: text,
  GroupId: list(text),
  InstanceType: z.strictObject({ Value: text }).optional(),
  UserData: z.strictObject({ Value: text }).optional(),
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

/** What EC2 changes of a stopped instance only. */
function requireStopped(instance: Instance, attribute: string): void {
  if (instance.state === "stopped") return;
  throw new ApiError(
    "IncorrectInstanceState",
    `The instance '${instance.id}' must be stopped for its ${attribute} to be changed; it is ${instance.state}.`,
  );
}

export const modifyInstanceActions = [
  action("ModifyInstanceAttribute", parameters, async (context, request) => {
    checkOne(request);
    const moves = await context.change(async (draft) => {
      const instance = byId("instance", request.InstanceId, draft.instances, ({ id }) => id);
      if (request.InstanceInitiatedShutdownBehavior !== undefined) {
        instance.shutdownBehavior = request.InstanceInitiatedShutdownBehavior.Value;
      }
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
];
