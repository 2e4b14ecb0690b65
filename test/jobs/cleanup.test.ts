import { expect, test } from "vitest";
import { findLeftovers } from "../../src/cleanup/leftovers.ts";
import { instance, inventoryOf, tagged } from "../cleanup/support.ts";

const now = Date.parse("2026-01-02T12:00:00Z");
const wanted = {
  now,
  owner: "me",
  allOwners: false,
  expiredOnly: false,
  olderThanMs: undefined,
  isLive: () => false,
};

test.each([false, true])(
  "a job's machine goes when its time is over, with its group, and not before (sweep: %s)",
  (expiredOnly) => {
    const job = (name: string, expires: Date | undefined) => {
      const run = `20260102-090000-${name}`;
      const more = { run, ...(expires === undefined ? {} : { expires }) };
      return {
        machine: instance(`i-${name}`, { role: "job", groupIds: [`sg-${name}`], ...more }),
        group: tagged(`sg-${name}`, { role: "machine-group", ...more }),
      };
    };
    const jobs = [
      job("hungaa", new Date(now - 1)),
      job("runsaa", new Date(now + 1)),
      job("keptaa", undefined),
    ];
    const inventory = inventoryOf({
      instances: jobs.map(({ machine }) => machine),
      groups: jobs.map(({ group }) => group),
    });
    const found = findLeftovers(inventory, { ...wanted, expiredOnly });
    expect(found.instances.map(({ id }) => id)).toEqual(["i-hungaa"]);
    expect(found.groups.map(({ id }) => id)).toEqual(["sg-hungaa"]);
  },
);
