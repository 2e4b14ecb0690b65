import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../base/package-root.ts";
import { shellCommand } from "../base/quote.ts";
import type { Phase } from "../catalog/service.ts";

/** Where the machine keeps the programs of the bundle in use. */
const programs = "/opt/bake-ami/current/bin";

const asRoot = (user: string, words: readonly string[]): string =>
  shellCommand(user === "root" ? words : ["sudo", "-n", ...words]);

export interface StartRequest {
  readonly phase: Phase;
  readonly run: string;
  /** For init: the services to add to those that the machine has. */
  readonly services: readonly string[];
  /** Whether the machine will become an image: its boots then run no update until it is sealed. */
  readonly builder: boolean;
  /** Base URL of the metadata service, `none`, or undefined to leave what the machine knows. */
  readonly metadata: string | undefined;
}

/** The words after `start`: which phase, for whom, and that its journal is to follow. */
function startWords(request: StartRequest): string[] {
  return [
    request.phase,
    request.run,
    ...(request.builder ? ["--builder"] : []),
    ...(request.metadata === undefined ? [] : ["--metadata", request.metadata]),
    "--follow",
    ...request.services,
  ];
}

/** The command that starts a phase, prints `cursor=...` on a line, and then follows the journal from there. */
export function startCommand(user: string, request: StartRequest): string {
  return asRoot(user, [`${programs}/start`, ...startWords(request)]);
}

/** The same for a machine that first takes a bundle from its standard input and makes it the current one. */
export function deliverCommand(user: string, digest: string, request: StartRequest): string {
  const program = readFileSync(join(packageRoot(), "phases", "receive.sh"), "utf8");
  return asRoot(user, ["sh", "-c", program, "receive", digest, ...startWords(request)]);
}

/** The command that lists the services of the machine's bundle, a line each; it fails where there is no bundle. */
export const bundledServicesCommand = shellCommand(["ls", "/opt/bake-ami/current/services"]);

/** The command that prints the state of a phase as `key=value` lines. */
export function statusCommand(user: string, phase: Phase): string {
  return asRoot(user, [`${programs}/status`, phase]);
}

/**
 * The command that scrubs the machine so that its disk can become an image.
 * @param signers public keys of those whose bundles the machines of the image take
 */
export function sealCommand(user: string, signers: readonly string[] = []): string {
  return asRoot(user, [`${programs}/seal`, ...signers.map((key) => `bake-ami ${key}`)]);
}

/** The command that prints the journal entries after a cursor in export format; with `follow` it never ends. */
export function journalCommand(user: string, cursor: string, follow: boolean): string {
  return asRoot(user, [`${programs}/journal`, ...(follow ? ["--follow"] : []), cursor]);
}

/** The command that prints what all phase runs of the machine printed; with `follow` it never ends. */
export function logsCommand(user: string, follow: boolean): string {
  return asRoot(user, [
    "journalctl",
    "--quiet",
    "--no-pager",
    "--output=short-iso",
    "--identifier=bake-ami",
    "--identifier=bake-ami-step",
    ...(follow ? ["--follow", "--no-tail"] : []),
  ]);
}

/** The command that ends whatever phase is running. */
export function stopCommand(user: string): string {
  return asRoot(user, [`${programs}/stop`]);
}
