import { expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { BakeError } from "../../src/base/errors.ts";
import { ownMachines } from "../../src/launch/machines.ts";
import { waitForUpdates } from "../../src/launch/wait.ts";
import { tailUpdate } from "../../src/launch/wait-tail.ts";
import type { Event } from "../../src/report/events.ts";
import { instance, owner } from "../support/leavings.ts";
import { clientOptions, stateOnlyCloud } from "../support/local-cloud.ts";

const { signal } = new AbortController();
const end = "bake-ami: phase=update run=boot-1 result=ok services=web failed=- not-started=- init=-";

test("where SSH is not open the console is shown line by line, with a note; each line once, and whose it is", async () => {
  // What comes to the console between looks at it; a line may come in pieces.
  const comes = ["boot", "ing\nsecond\n", "", `third\n${end}\n`];
  let console = "";
  await using local = await stateOnlyCloud({
    intercept: async (call, carryOut) => {
      const reply = await carryOut();
      if (call.action !== "GetConsoleOutput") return reply;
      console += comes.shift() ?? "";
      const output = `<output>${Buffer.from(console).toString("base64")}</output>`;
      const body = reply.body.replace(/<output>.*?<\/output>|<output\s*\/>/, "");
      return { ...reply, body: body.replace("</GetConsoleOutputResponse>", `${output}$&`) };
    },
  });
  const id = await instance(local, "machine");
  const cloud = new Cloud(clientOptions(local.cloud));
  const machines = await ownMachines(cloud, owner, signal);
  const events: Event[] = [];
  const listener = (event: Event): void => {
    events.push(event);
  };
  const watched = await waitForUpdates(cloud, machines, 60, listener, signal, async (each, inner) => {
    const target = (): Promise<never> => Promise.reject(new BakeError("timeout", "no host keys"));
    await tailUpdate(each, { cloud, several: true, target, listener }, inner);
  });
  expect(watched[0]?.outcome?.result).toBe("ok");
  const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
  expect(notes).toEqual([`no journal of ${id}: no host keys; its console follows`]);
  const lines = events.flatMap((event) =>
    event.type === "output" ? [`${event.machine ?? ""} ${event.service} ${event.line}`] : [],
  );
  expect(lines).toEqual(["booting", "second", "third", end].map((line) => `${id} console ${line}`));
});

test("an interruption ends both the wait and what is shown", async () => {
  await using local = await stateOnlyCloud();
  await instance(local, "machine");
  const cloud = new Cloud(clientOptions(local.cloud));
  const machines = await ownMachines(cloud, owner, signal);
  const abort = new AbortController();
  let ended = false;
  const waiting = waitForUpdates(
    cloud,
    machines,
    60,
    () => undefined,
    abort.signal,
    async (_, inner) => {
      await new Promise((resolve) => {
        inner.addEventListener("abort", resolve, { once: true });
      });
      ended = true;
    },
  );
  setTimeout(() => {
    abort.abort();
  }, 50);
  await expect(waiting).rejects.toMatchObject({ kind: "interrupted" });
  expect(ended).toBe(true);
});
