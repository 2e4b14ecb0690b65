import { BakeError } from "../base/errors.ts";
import { copyFiles, type CopyCounts, type Place } from "../machine/files/copy.ts";
import { LocalSide } from "../machine/files/local-side.ts";
import { openFiles, readPlace, type NamedPlace } from "../machine/files/machine-files.ts";
import type { Side } from "../machine/files/side.ts";
import { Machine } from "../machine/machine.ts";
import type { SshTarget } from "../machine/target.ts";
import type { Listener } from "../report/events.ts";
import { inStage } from "../report/stage.ts";
import type { Context } from "./context.ts";
import { reachMachine, type ReachOptions } from "./reach.ts";

const connectDeadlineSeconds = 60;

/**
 * Copies what the words of `cp` name, the last of which is the destination.
 * @throws BakeError `usage` before anything is changed; others as {@link copyFiles} and {@link reachMachine} do
 */
export async function copyPaths(
  options: ReachOptions,
  context: Context,
  words: readonly string[],
  listener: Listener,
  signal: AbortSignal,
): Promise<CopyCounts> {
  const places = words.map(readPlace);
  const destination = places.at(-1);
  const sources = places.slice(0, -1);
  if (destination === undefined || sources.length === 0) {
    throw new BakeError("usage", "cp takes what to copy and where to", { hint: "bake-ami cp --help" });
  }
  if (places.every(({ machine }) => machine === undefined)) {
    throw new BakeError("usage", "none of these names a machine", {
      hint: "write it as <machine>:/path, for example latest:/var/log",
    });
  }
  const here = new LocalSide();
  await using machines = new OpenMachines();
  for (const name of new Set(places.flatMap(({ machine }) => machine ?? []))) {
    const { target } = await reachMachine(options, context, name, signal);
    await inStage(listener, "connect", () => machines.open(name, target, signal), target.host);
  }
  const place = ({ machine, path }: NamedPlace): Place => ({
    side: machine === undefined ? here : machines.side(machine),
    path,
  });
  return await inStage(listener, "copy", () =>
    copyFiles({ sources: sources.map(place), destination: place(destination), listener, signal }),
  );
}

/** The machines of one copy, each with one connection however often and by whatever name it is named. */
class OpenMachines implements AsyncDisposable {
  readonly #opened: (Disposable | AsyncDisposable)[] = [];
  readonly #sides = new Map<string, Side>();

  async open(name: string, target: SshTarget, signal: AbortSignal): Promise<void> {
    const id = target.instanceId ?? target.host;
    const known = this.#sides.get(id);
    if (known !== undefined) {
      this.#sides.set(name, known);
      return;
    }
    const machine = new Machine(target, { deadlineSeconds: connectDeadlineSeconds });
    this.#opened.push(machine);
    const files = await openFiles(machine, name, signal);
    this.#opened.push(files);
    this.#sides.set(name, files.side).set(id, files.side);
  }

  side(name: string): Side {
    const side = this.#sides.get(name);
    if (side === undefined) throw new BakeError("failed", `${name} was not opened`);
    return side;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#opened.reverse()) {
      if (Symbol.dispose in each) each[Symbol.dispose]();
      else await each[Symbol.asyncDispose]();
    }
  }
}
