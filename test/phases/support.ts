import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeBundle } from "../../src/bundle/index.ts";
import { readCatalog, type Phase } from "../../src/catalog/index.ts";
import { JournalExportParser, type JournalEntry } from "../../src/machine/journal-export.ts";
import { makePlan, type Plan } from "../../src/plan/index.ts";
import { bootMachine, type TestMachine } from "../support/nspawn.ts";

const repository = join(import.meta.dirname, "../..");

/** A project's files by path; those with a shebang get their run bit. */
export type Files = Readonly<Record<string, string>>;

/** A step: a POSIX shell script. */
export const sh = (script: string): string => `#!/bin/sh\nset -eu\n${script}\n`;

/** Writes a project and plans its whole catalog; the directory goes with `using`. */
export class Project implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "bake-ami-project-"));

  constructor(files: Files) {
    this.write(files);
  }

  write(files: Files): void {
    for (const [path, content] of Object.entries(files)) {
      const target = join(this.directory, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content, { mode: content.startsWith("#!") ? 0o755 : 0o644 });
    }
  }

  /** The plan over all services, with the built-in ones when asked. */
  plan(builtIn = false): Plan {
    const result = readCatalog({
      projectDirectory: this.directory,
      builtInDirectory: builtIn ? join(repository, "services") : join(this.directory, "none"),
      verbs: [],
    });
    if ("problems" in result) {
      throw new Error(result.problems.map(({ file, message }) => `${file}: ${message}`).join("\n"));
    }
    return makePlan(result.catalog, { services: [...result.catalog.services.keys()], parameters: new Map() });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Sends the project's bundle as the controller does, and returns its digest. */
export async function install(machine: TestMachine, plan: Plan): Promise<string> {
  const { digest, archive } = await makeBundle(plan);
  await receive(machine, digest, archive);
  return digest;
}

/** Runs receive.sh on the machine, its text being the command. */
export async function receive(machine: TestMachine, digest: string, archive: Uint8Array): Promise<void> {
  const program = readFileSync(join(repository, "phases/receive.sh"), "utf8");
  // A heredoc, as nothing in the program may be expanded.
  const command = `program=$(cat <<'END-OF-PROGRAM'\n${program}\nEND-OF-PROGRAM\n)\nexec sh -c "$program" receive ${digest}`;
  await machine.run(command, archive);
}

/** A test machine with a bundle installed; its /bin/sh is dash, as on Debian, or bash, as on Amazon Linux. */
export async function machineWith(plan: Plan, shell: "dash" | "bash" = "dash"): Promise<TestMachine> {
  const machine = await bootMachine({
    prepare: async (root) => {
      await rm(join(root, "usr/bin/sh"));
      await symlink(shell, join(root, "usr/bin/sh"));
    },
  });
  try {
    await machine.booted();
    await install(machine, plan);
    return machine;
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

/** What happened in a phase run. */
export interface Happened {
  /** `key=value` pairs of each event line, in order. */
  readonly events: readonly Readonly<Record<string, string>>[];
  /** Messages of the drivers that are no events. */
  readonly messages: readonly string[];
  /** What the steps of each service printed, put together again. */
  readonly output: ReadonlyMap<string, Buffer>;
  /** The last phase-finished. */
  readonly end: Readonly<Record<string, string>>;
}

let runs = 0;

/** A run id that was not used before. */
export const newRun = (): string => `test-${(runs += 1)}`;

/** Starts a phase as the controller does; returns the journal cursor from before. */
export async function start(machine: TestMachine, words: string): Promise<string> {
  const answer = await machine.run(`/opt/bake-ami/current/bin/start ${words}`);
  return answer.trim().replace(/^cursor=/, "");
}

/** Runs a phase to its end, through reboots, and tells what happened. */
export async function runPhase(
  machine: TestMachine,
  phase: Phase,
  words: readonly string[] = [],
  run = newRun(),
): Promise<Happened> {
  const cursor = await start(machine, [phase, run, ...words].join(" "));
  await finished(machine, phase, run);
  return await happened(machine, cursor);
}

/** `status` as pairs. */
export async function status(machine: TestMachine, phase: Phase): Promise<Readonly<Record<string, string>>> {
  return pairsOf((await machine.run(`/opt/bake-ami/current/bin/status ${phase}`)).replaceAll("\n", " "));
}

/** Waits until a run of a phase is finished and its driver gone; the machine may reboot meanwhile. */
export async function finished(machine: TestMachine, phase: Phase, run: string, seconds = 90): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const command =
      `/opt/bake-ami/current/bin/status ${phase}; ` + `flock --timeout 3 /run/bake-ami/lock true`;
    // A machine that is going down may not answer at all.
    const result = await machine.exec(command, "", 5).catch(() => undefined);
    if (result?.stdout.includes("state=finished") === true && result.stdout.includes(`run=${run}\n`)) return;
    if (Date.now() > end)
      throw new Error(`${phase} ${run} did not finish: ${result?.stdout ?? "the machine is down"}`);
    await sleep(20);
  }
}

/** Everything of ours in the journal, after a cursor or since ever. */
export async function happened(machine: TestMachine, cursor?: string): Promise<Happened> {
  const entries = await journal(machine, cursor);
  const events: Readonly<Record<string, string>>[] = [];
  const messages: string[] = [];
  const output = new Map<string, Buffer>();
  for (const entry of entries) {
    const message = entry.get("MESSAGE") ?? Buffer.alloc(0);
    if (entry.get("SYSLOG_IDENTIFIER")?.toString() === "bake-ami") {
      if (message.toString().startsWith("event=")) events.push(pairsOf(message.toString()));
      else messages.push(message.toString());
      continue;
    }
    const unit = /@(.+)\.service$/.exec(entry.get("_SYSTEMD_UNIT")?.toString() ?? "")?.[1] ?? "";
    output.set(unit, Buffer.concat([output.get(unit) ?? Buffer.alloc(0), message, lineEndOf(entry)]));
  }
  return { events, messages, output, end: events.findLast(({ event }) => event === "phase-finished") ?? {} };
}

/** What stood after a piece of output: the journal says so where it was no line end. */
function lineEndOf(entry: JournalEntry): Buffer {
  switch (entry.get("_LINE_BREAK")?.toString()) {
    case "nul":
      return Buffer.from("\0");
    case "eof":
    case "line-max":
    case "pid-change":
      return Buffer.alloc(0);
    default:
      return Buffer.from("\n");
  }
}

async function journal(machine: TestMachine, cursor: string | undefined): Promise<readonly JournalEntry[]> {
  const after = cursor === undefined || cursor === "none" ? "" : `--after-cursor='${cursor}'`;
  const result = await machine.exec(
    `journalctl --sync; journalctl --quiet --output=export -t bake-ami -t bake-ami-step ${after}`,
  );
  return new JournalExportParser().push(result.stdoutBytes);
}

function pairsOf(line: string): Record<string, string> {
  return Object.fromEntries(
    line
      .trim()
      .split(/\s+/)
      .map((word) => {
        const equals = word.indexOf("=");
        return [word.slice(0, equals), word.slice(equals + 1)];
      }),
  );
}

/** The events of one kind, as `service` or `service/step` in order. */
export function names(happening: Happened, event: string, phase?: string): string[] {
  return happening.events
    .filter((each) => each["event"] === event && (phase === undefined || each["phase"] === phase))
    .map(({ service, step }) => (step === undefined ? (service ?? "-") : `${service ?? "-"}/${step}`));
}

/** Waits until the machine's console has this; it comes there by a terminal of its own, a little later. */
export async function consoleSays(machine: TestMachine, text: string, seconds = 5): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await machine.console()).includes(text)) {
    if (Date.now() > end) {
      const ours = (await machine.console()).split("\n").filter((line) => line.includes("bake-ami: "));
      throw new Error(`the console does not say "${text}", but:\n${ours.join("\n")}`);
    }
    await sleep(20);
  }
}
