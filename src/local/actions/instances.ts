import { z } from "zod";
import { ownIdentity } from "../../base/process-identity.ts";
import { beginStopping, beginTerminating, stopGraceMs } from "../engine/decide.ts";
import { openPorts } from "../open-ports.ts";
import { ApiError, byIds } from "../protocol/errors.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { Instance, InstanceState, State } from "../state/schema.ts";
import { action } from "./action.ts";
import { stateXml } from "./instance-xml.ts";
import { retagPorts } from "./port-tags.ts";
import { spotRequestFor } from "./spot-requests.ts";

/** The named instances. @throws ApiError when there is none named, or one does not exist. */
function named(state: State, ids: readonly string[]): Instance[] {
  if (ids.length === 0) {
    throw new ApiError("MissingParameter", "The request must contain the parameter InstanceId");
  }
  return byIds("instance", ids, state.instances, ({ id }) => id);
}

function incorrectState(instance: Instance, verb: string): ApiError {
  return new ApiError(
    "IncorrectInstanceState",
    `The instance '${instance.id}' is not in a state from which it can be ${verb}.`,
  );
}

function isGuarded({ id }: Instance): ApiError {
  return new ApiError(
    "OperationNotPermitted",
    `The instance '${id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
  );
}

/** @throws ApiError for a spot instance whose request is not there any more */
function checkRequest(state: State, instance: Instance): void {
  if (instance.spot !== true) return;
  const request = spotRequestFor(state, instance);
  if (request?.cancelledAt === undefined) return;
  throw new ApiError(
    "IncorrectSpotRequestState",
    `You can't start the Spot Instance '${instance.id}' because the associated Spot Instance request '${request.id}' is not in an appropriate state to support start.`,
  );
}

/** Applies a change to each named instance and reports the states before and after. */
function change(
  instances: readonly Instance[],
  apply: (instance: Instance) => void,
): { readonly instancesSet: XmlObject[] } {
  const before = new Map<string, InstanceState>(instances.map(({ id, state }) => [id, state]));
  for (const instance of instances) apply(instance);
  return {
    instancesSet: instances.map(({ id, state }) => ({
      instanceId: id,
      currentState: stateXml(state),
      previousState: stateXml(before.get(id) ?? state),
    })),
  };
}

export const instanceActions = [
  action("StartInstances", z.strictObject({ InstanceId: list(text) }), async (context, request) => {
    const starter = await ownIdentity();
    const { reply, fresh } = await context.change(async (draft) => {
      const instances = named(draft, request.InstanceId);
      const stopped = instances.filter(({ state }) => state === "stopped");
      for (const instance of instances) {
        if (!["stopped", "pending", "running"].includes(instance.state))
          throw incorrectState(instance, "started");
      }
      for (const instance of stopped) {
        checkRequest(draft, instance);
        await context.machines.engineOf(instance).check();
        const before = instance.forwards;
        await context.machines.place(draft, instance, openPorts(draft, instance.groupIds));
        retagPorts(instance, before);
      }
      const now = context.now();
      const changed = change(instances, (instance) => {
        if (instance.state !== "stopped") return;
        instance.state = "pending";
        instance.changedAt = now;
        instance.launchedAt = now;
        instance.transitionReason = "";
        instance.starter = { ...starter };
        delete instance.stateReason;
      });
      return { reply: changed, fresh: structuredClone(stopped) };
    });
    await Promise.all(fresh.map(async (instance) => context.machines.start(instance)));
    return reply;
  }),

  action(
    "StopInstances",
    z.strictObject({ InstanceId: list(text), Force: flag.optional() }),
    async (context, request) => {
      const reply = await context.change((draft) => {
        const instances = named(draft, request.InstanceId);
        for (const instance of instances) {
          if (instance.state === "terminated" || instance.state === "shutting-down") {
            throw incorrectState(instance, "stopped");
          }
          if (instance.spot === true && spotRequestFor(draft, instance)?.type !== "persistent") {
            throw new ApiError(
              "UnsupportedOperation",
              `You can't stop the Spot Instance '${instance.id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
            );
          }
        }
        return change(instances, (instance) => {
          const isUp = instance.state === "running" || instance.state === "pending";
          if (request.Force === true && (isUp || instance.state === "stopping")) {
            beginStopping(instance, context.now(), 0);
          } else if (isUp) beginStopping(instance, context.now(), stopGraceMs);
        });
      });
      // What follows, such as the press of the power button, is what follows from the state.
      await context.read();
      return reply;
    },
  ),

  action("TerminateInstances", z.strictObject({ InstanceId: list(text) }), async (context, request) => {
    const { reply, refusal } = await context.change((draft) => {
      const instances = named(draft, request.InstanceId);
      const guarded = instances.filter((it) => it.isProtected === true && it.state !== "terminated");
      // "Instances in the same Availability Zone as a protected one are not terminated." (EC2 User Guide)
      const zones = new Set(guarded.map(({ zone }) => zone));
      const terminated = change(
        instances.filter(({ zone }) => !zones.has(zone)),
        (instance) => {
          if (instance.state === "terminated" || instance.state === "shutting-down") return;
          beginTerminating(instance, context.now());
        },
      );
      return { reply: terminated, refusal: guarded[0] === undefined ? undefined : isGuarded(guarded[0]) };
    });
    await context.read();
    if (refusal !== undefined) throw refusal;
    return reply;
  }),

  action("RebootInstances", z.strictObject({ InstanceId: list(text) }), async (context, request) => {
    const instances = await context.change((draft) => {
      const all = named(draft, request.InstanceId);
      for (const instance of all) {
        if (instance.state !== "running") throw incorrectState(instance, "rebooted");
      }
      return structuredClone(all);
    });
    for (const instance of instances) await context.machines.engineOf(instance).reset(instance);
    return { return: true };
  }),

  action(
    "GetConsoleOutput",
    z.strictObject({ InstanceId: text, Latest: flag.optional() }),
    async (context, request) => {
      const [instance] = named(await context.read(), [request.InstanceId]);
      const output =
        instance === undefined ? undefined : await context.machines.engineOf(instance).console(instance);
      return {
        instanceId: request.InstanceId,
        timestamp: new Date(output?.at ?? context.now()),
        ...(output === undefined ? {} : { output: Buffer.from(output.content).toString("base64") }),
      };
    },
  ),
];
