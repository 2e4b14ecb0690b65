import type { Image, Instance } from "../state/schema.ts";
import type { Observation } from "./engine.ts";

/** What must be done to a machine after the state has been changed. */
export type Deed = "start" | "press-power-button" | "kill";

export interface Decision {
  /** Applied to the instance in the state. */
  readonly change?: (instance: Instance, now: number) => void;
  readonly deed?: Deed;
  /** Whether the entry itself goes. */
  readonly forget?: boolean;
}

/** What is known when a decision is taken. */
export interface Facts {
  readonly observation: Observation;
  readonly now: number;
  /** Whether the process that was starting this instance, or making an image of it, still runs. */
  readonly workerAlive: boolean;
}

/** EC2 shows a terminated instance for about an hour. */
const terminatedShownMs = 3_600_000;

/** A press of the power button is lost on a system that has not come far enough to hear it; so it is repeated. */
export const powerButtonEveryMs = 4_000;

/** How long a system may take to power off before the plug is pulled. */
export const stopGraceMs = 90_000;

/**
 * What follows for an instance from what its machine is seen to do: the one place that knows how the states of
 * instances follow each other. Pure.
 */
export function decide(instance: Instance, facts: Facts): Decision {
  const { observation, now, workerAlive } = facts;
  const gone = observation.kind === "absent" || observation.kind === "died";
  if (isTakenBack(instance, now)) return decideInterrupted(instance);
  if (observation.kind === "changing") return {};
  switch (instance.state) {
    case "pending":
      if (instance.failsWith !== undefined) return decideFailing(observation, workerAlive);
      if (!gone) return { change: run };
      // Whoever was to start it was killed before he did.
      return workerAlive ? {} : { deed: "start" };
    case "running":
      if (instance.imagedBy === undefined) return decideRunning(instance, observation);
      if (workerAlive) return {};
      // Whoever made an image of it was killed, maybe between the machine's stop and its start.
      return gone ? { change: startAgain, deed: "start" } : { change: handBack };
    case "stopping":
      if (gone) return { change: stop };
      if (now >= (instance.killAt ?? 0)) return { deed: "kill" };
      if (now - (instance.powerButtonAt ?? 0) < powerButtonEveryMs) return {};
      return {
        deed: "press-power-button",
        change: (it) => {
          it.powerButtonAt = now;
        },
      };
    case "shutting-down":
      return gone ? { change: terminate } : { deed: "kill" };
    case "terminated":
      return now - instance.changedAt > terminatedShownMs ? { forget: true } : {};
    case "stopped":
      return {};
  }
}

/** The first start of an instance that is meant to fail: straight from pending to terminated. */
function decideFailing(observation: Observation, workerAlive: boolean): Decision {
  if (observation.kind === "absent" && workerAlive) return {};
  const isUp = observation.kind === "present" || observation.kind === "stuck";
  return {
    ...(isUp ? { deed: "kill" } : {}),
    change: (it, now) => {
      it.stateReason = it.failsWith;
      it.transitionReason = it.failsWith?.message ?? "";
      delete it.failsWith;
      if (isUp) enter(it, "shutting-down", now);
      else terminate(it, now);
    },
  };
}

function isTakenBack({ interruption, state }: Instance, now: number): boolean {
  const isOn = state !== "shutting-down" && state !== "terminated";
  return isOn && interruption !== undefined && now >= interruption.at;
}

/** What is to be stopped stops as on the user's word; there is no hibernation here, which looks the same from outside. */
function decideInterrupted({ state, interruptedBy }: Instance): Decision {
  if (interruptedBy === undefined) return { deed: "kill", change: beginInterruption };
  const isUp = state === "pending" || state === "running";
  return { change: isUp ? stopInterrupted : forgetInterruption };
}

function stopInterrupted(it: Instance, now: number): void {
  forgetInterruption(it);
  beginStopping(it, now, stopGraceMs, {
    code: "Server.SpotInstanceShutdown",
    message: "Server.SpotInstanceShutdown: Spot instance shutdown",
  });
}

function forgetInterruption(it: Instance): void {
  delete it.interruption;
}

function beginInterruption(it: Instance, now: number): void {
  enter(it, "shutting-down", now);
  it.stateReason = {
    code: "Server.SpotInstanceTermination",
    message: "Server.SpotInstanceTermination: Spot instance termination",
  };
  it.transitionReason = it.stateReason.message;
}

/**
 * What follows for an image that is being made, if anything. Pure.
 * @param makerAlive whether the process that makes it still runs
 */
export function decideImage(
  image: Image,
  now: number,
  makerAlive: boolean,
): ((image: Image) => void) | undefined {
  if (image.state !== "pending") return undefined;
  if (image.settlesAt !== undefined) return now >= image.settlesAt ? settleImage : undefined;
  return makerAlive ? undefined : orphanImage;
}

function settleImage(it: Image): void {
  it.state = it.failsWith === undefined ? "available" : "failed";
  if (it.failsWith !== undefined) it.stateReason = it.failsWith;
  delete it.failsWith;
}

function orphanImage(it: Image): void {
  it.state = "failed";
  delete it.maker;
  it.stateReason = { code: "Client.InternalError", message: "the program that made this image was killed" };
}

function decideRunning(instance: Instance, observation: Observation): Decision {
  switch (observation.kind) {
    case "present":
    case "changing":
      return {};
    case "stuck":
      return {
        deed: "kill",
        change: (it, now) => {
          beginStopping(it, now, 0, observation.reason);
        },
      };
    case "died":
      return {
        change: (it, now) => {
          it.stateReason = {
            code: "Server.InternalError",
            message: `Server.InternalError: ${observation.message}`,
          };
          stop(it, now);
        },
      };
    case "absent": {
      const stateReason = {
        code: "Client.InstanceInitiatedShutdown",
        message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
      };
      const terminates = instance.shutdownBehavior === "terminate";
      return {
        change: (it, now) => {
          it.stateReason = stateReason;
          if (terminates) terminate(it, now);
          else stop(it, now);
        },
      };
    }
  }
}

function run(it: Instance, now: number): void {
  enter(it, "running", now);
  it.started = true;
  it.transitionReason = "";
  delete it.stateReason;
}

function startAgain(it: Instance, now: number): void {
  enter(it, "pending", now);
}

function handBack(it: Instance): void {
  delete it.imagedBy;
}

/** The instance begins to stop; `graceMs` later the plug is pulled. */
export function beginStopping(
  it: Instance,
  now: number,
  graceMs: number,
  why?: Instance["stateReason"],
): void {
  enter(it, "stopping", now);
  it.killAt = now + graceMs;
  it.stateReason = why ?? {
    code: "Client.UserInitiatedShutdown",
    message: "Client.UserInitiatedShutdown: User initiated shutdown",
  };
  it.transitionReason = why === undefined ? `User initiated (${gmt(now)})` : why.message;
}

/** The instance begins to end, on the user's word. */
export function beginTerminating(it: Instance, now: number): void {
  enter(it, "shutting-down", now);
  it.stateReason = {
    code: "Client.UserInitiatedShutdown",
    message: "Client.UserInitiatedShutdown: User initiated shutdown",
  };
  it.transitionReason = `User initiated (${gmt(now)})`;
}

/** A start that could not be made: the end of a new instance, while an old one is stopped again. */
export function failToStart(it: Instance, now: number, message: string): void {
  it.stateReason = { code: "Server.InternalError", message: `Server.InternalError: ${message}` };
  it.transitionReason = it.stateReason.message;
  if (it.started) stop(it, now);
  else terminate(it, now);
}

function stop(it: Instance, now: number): void {
  enter(it, "stopped", now);
}

function terminate(it: Instance, now: number): void {
  enter(it, "terminated", now);
  it.forwards = [];
  delete it.publicAddress;
  delete it.userData;
}

function enter(it: Instance, state: Instance["state"], now: number): void {
  it.state = state;
  it.changedAt = now;
  delete it.starter;
  delete it.imagedBy;
  delete it.powerButtonAt;
  delete it.killAt;
  delete it.settlesAt;
}

function gmt(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} GMT`;
}
