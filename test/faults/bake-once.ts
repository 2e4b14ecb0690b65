import { bake } from "../../src/bake/bake.ts";
import { RunRecords } from "../../src/commands/run-records.ts";
import { openLocalCloud } from "../../src/local/open.ts";
import { testBake } from "../support/bake.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/*
 * A program that bakes once in the state-only cloud of a directory, and kills itself as soon as a call has been carried out
 * (0 for never), before anybody hears of it. For each call it prints the action and the time, by the cloud's clock.
 * Arguments: the cloud's directory, the base image, the records' directory, the number of the call.
 */

const [directory = "", imageId = "", records = "", last = "0"] = process.argv.slice(2);

const clock = new VirtualClock();
let calls = 0;
const cloud = openLocalCloud({
  directory,
  engine: "state-only",
  now: clock.now,
  // So that each wait has something to wait for, and can be killed in it.
  faults: { delaysMs: { start: 1000, stop: 1000, terminate: 1000, image: 1000 } },
  intercept: async ({ action }, carryOut) => {
    calls += 1;
    const number = calls;
    process.stdout.write(`${action} ${clock.now()}\n`);
    const reply = await carryOut();
    if (number !== Number(last)) return reply;
    process.kill(process.pid, "SIGKILL");
    return await new Promise(() => undefined);
  },
});

const { options } = testBake(
  { cloud, imageId },
  { records: new RunRecords(records, () => undefined) },
  { clock },
);
await clock.run(() => bake(options));
