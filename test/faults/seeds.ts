import { tryBrokenPlan, tryPlan } from "./random-plan.ts";
import { bakeThrottled } from "./throttled.ts";
import { measureShortWaits, measureWaits } from "./waiting.ts";

/*
 * A program that does one thing for each of some seeds, and prints what came of it as a line of JSON.
 * Arguments: what to do, then the seeds.
 */

const deeds: Readonly<Record<string, (seed: number) => Promise<object>>> = {
  "short-waits": measureShortWaits,
  broken: tryBrokenPlan,
  plans: tryPlan,
  throttled: bakeThrottled,
  waits: measureWaits,
};

const [name = "", ...seeds] = process.argv.slice(2);
const deed = deeds[name];
if (deed === undefined) throw new Error(`there is no "${name}"; there are ${Object.keys(deeds).join(", ")}`);
for (const seed of seeds) process.stdout.write(`${JSON.stringify(await deed(Number(seed)))}\n`);
