import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Instance } from "../../src/aws/instances.ts";
import { messageOf } from "../../src/base/errors.ts";
import { selectMachines, type Selection } from "../../src/fleet/deploy-machines.ts";
import { atRate } from "../../src/fleet/deploy-rate.ts";
import { anInstance } from "../support/resources.ts";

const { signal } = new AbortController();

function machine(id: string, tags: Readonly<Record<string, string>>, rest: Partial<Instance> = {}): Instance {
  return anInstance(id, { tags: new Map(Object.entries({ "bake-ami:role": "machine", ...tags })), ...rest });
}

const all = [
  machine("i-00001", { "bake-ami:services": "web", "bake-ami:init.1": "base=1 web=2", stage: "test" }),
  machine("i-00002", { "bake-ami:services": "db", "bake-ami:init.1": "base=1 db=2", stage: "live" }),
  machine("i-00003", { "bake-ami:services": "db", "bake-ami:with": "web" }),
  machine("i-00004", { "bake-ami:services": "web" }, { state: "stopped" }),
  machine("i-00005", { "bake-ami:services": "web", "bake-ami:role": "builder" }),
  machine("i-00006", { "bake-ami:services": "web", "bake-ami:role": "job" }),
];

function selected(services: readonly string[], rest: Partial<Selection> = {}): string {
  try {
    return selectMachines(all, { services, tags: new Map(), machines: [], ...rest })
      .map(({ instance, services: own }) => `${instance.id}=${own.join("+")}`)
      .join(" ");
  } catch (error) {
    return messageOf(error);
  }
}

test("running machines that have the services, each with those of them that it has", () => {
  expect(selected(["web"])).toBe("i-00001=web i-00003=web");
  expect(selected(["web", "db"])).toBe("i-00001=web i-00002=db i-00003=web+db");
  // What another service requires is on the machine as well.
  expect(selected(["base"])).toBe("i-00001=base i-00002=base");
  expect(selected(["mail"])).toBe("no running machine of yours has mail");
});

test("by tag and by name", () => {
  expect(selected(["web"], { tags: new Map([["stage", "test"]]) })).toBe("i-00001=web");
  expect(selected(["web"], { tags: new Map([["stage", "no"]]) })).toBe(
    "no running machine of yours with tag stage=no has web",
  );
  expect(selected(["web"], { machines: ["i-00003", "i-00003", "i-00001"] })).toBe("i-00003=web i-00001=web");
  expect(selected(["web"], { machines: ["i-00002"] })).toBe("i-00002 has no web");
  expect(selected(["web"], { machines: ["i-00004"] })).toBe(
    "i-00004 is stopped, so nothing can be deployed to it",
  );
  expect(selected(["web"], { machines: ["i-00006"] })).toMatch(/there is no machine i-00006 of yours/);
});

test("so many at once, and never more", async () => {
  let now = 0;
  let most = 0;
  const pieces = await atRate([1, 2, 3, 4, 5, 6, 7], { max: 3, maxErrors: 1, signal }, async (n) => {
    now += 1;
    most = Math.max(most, now);
    await sleep(5);
    now -= 1;
    return n * 2;
  });
  expect(most).toBe(3);
  expect(pieces.map((piece) => (piece.kind === "done" ? piece.value : piece.kind))).toEqual([
    2, 4, 6, 8, 10, 12, 14,
  ]);
});

test("after so many failures nothing further is begun, and what is under way ends", async () => {
  const kinds = async (maxErrors: number): Promise<string> => {
    const pieces = await atRate([1, 2, 3, 4, 5, 6], { max: 2, maxErrors, signal }, async (n) => {
      await sleep(n === 1 ? 1 : 20);
      if (n % 2 === 1) throw new Error("odd");
    });
    return pieces.map(({ kind }) => kind).join(" ");
  };
  expect(await kinds(1)).toBe("failed done not-started not-started not-started not-started");
  expect(await kinds(2)).toBe("failed done failed done not-started not-started");
  expect(await kinds(6)).toBe("failed done failed done failed done");
});

test("an interruption begins nothing further", async () => {
  const abort = new AbortController();
  const pieces = await atRate([1, 2, 3], { max: 1, maxErrors: 9, signal: abort.signal }, (n) => {
    if (n === 2) abort.abort();
    return Promise.resolve(n);
  });
  expect(pieces.map(({ kind }) => kind)).toEqual(["done", "done", "not-started"]);
});
