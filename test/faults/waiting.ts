import type { FaultPlan } from "../../src/local/faults/plan.ts";
import type { State } from "../../src/local/state/schema.ts";
import { Store } from "../../src/local/state/store.ts";
import type { WaitReport } from "./reports.ts";
import { World } from "./world.ts";

/** EC2's own times, in milliseconds. */
const delaysMs: { start: [number, number]; stop: [number, number]; image: [number, number] } = {
  start: [6_000, 25_000],
  stop: [15_000, 60_000],
  image: [60_000, 300_000],
};

const startOrStop = (state: State): number | undefined => state.instances[0]?.settlesAt;

/** What begins a wait, when the cloud is to be done, and the call by which the bake goes on as soon as it knows. */
const waits = [
  { begins: "RunInstances", goesOn: "StopInstances", doneAt: startOrStop },
  { begins: "StopInstances", goesOn: "CreateImage", doneAt: startOrStop },
  {
    begins: "CreateImage",
    goesOn: "ModifyImageAttribute",
    doneAt: (state: State) => state.images.find((image) => image.sourceInstanceId !== undefined)?.settlesAt,
  },
] as const;

/** Bakes once, with changes that take as long as this seed says. @throws Error when the bake fails */
export async function measureWaits(seed: number): Promise<WaitReport> {
  return await measure(seed, { seed, delaysMs });
}

/** The same with changes that are just not over when they are looked at first. @throws Error when the bake fails */
export async function measureShortWaits(seed: number): Promise<WaitReport> {
  return await measure(seed, { delaysMs: { start: 1, stop: 1, image: 1 } });
}

async function measure(seed: number, faults: FaultPlan): Promise<WaitReport> {
  const doneAt = new Map<string, number | undefined>();
  let directory = "";
  await using world = await World.open({
    seed,
    faults,
    intercept: async ({ action }, carryOut) => {
      const reply = await carryOut();
      const wait = waits.find(({ begins }) => begins === action);
      if (wait !== undefined) doneAt.set(action, wait.doneAt(await new Store(directory).read()));
      return reply;
    },
  });
  directory = world.local.directory;
  const { error } = await world.bake();
  if (error !== undefined) throw new Error(`seed ${seed}: the bake failed`, { cause: error });
  const { calls } = world.witness;
  const slacks = waits.map(({ begins, goesOn }) => {
    const noticed = calls.find(({ action }) => action === goesOn)?.at;
    const done = doneAt.get(begins);
    if (noticed === undefined || done === undefined)
      throw new Error(`seed ${seed}: ${begins} was not waited for`);
    return noticed - done;
  });
  return {
    seed,
    slackMs: slacks.reduce((sum, slack) => sum + slack, 0),
    describes: calls.filter(({ action }) => action.startsWith("Describe")).length,
  };
}
