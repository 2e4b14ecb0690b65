import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../base/package-root.ts";

/** A program of `phases/` that a machine runs at every boot, early. */
export interface BootCommand {
  /** Below `phases/`. */
  readonly program: string;
  /** Set in front of it; whole numbers alone. */
  readonly variables: Readonly<Record<string, number>>;
}

/**
 * The lines of a cloud-config that make a machine run programs at every boot.
 * (cloud-init, module "Bootcmd", which runs at every boot, before the network's services)
 */
export function bootCommands(commands: readonly BootCommand[]): string[] {
  return [
    "bootcmd:",
    ...commands.flatMap(({ program, variables }) => [
      "  - |",
      ...Object.entries(variables).map(([name, value]) => `    ${name}=${Math.ceil(value)}`),
      ...literalBlock(readFileSync(join(packageRoot(), "phases", program), "utf8")),
    ]),
  ];
}

/** The lines of a text as YAML's literal block, below a key that is indented by two. */
export function literalBlock(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`);
}

/** A timer that powers the machine off at this time, in seconds since the epoch, whether or not anyone is still there. */
export function deadlineCommand(deadline: number): BootCommand {
  return { program: "boot/deadline.sh", variables: { deadline } };
}
