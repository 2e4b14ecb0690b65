import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { packageRoot } from "../base/package-root.ts";
import { commandFile, environmentFile, orderFile, type JobOrder } from "./order.ts";
import type { Upload } from "./uploads.ts";

/** The program that takes a job from its standard input; its text is sent as a command. */
export function receiveProgram(): string {
  return readFileSync(join(packageRoot(), "phases", "lib", "job-receive.sh"), "utf8");
}

/**
 * A job as a machine takes it, in a tar: the programs and the order in `own/`, the user's files in `work/`. The programs come
 * along, so that any image will do, whatever it was baked with.
 * @returns the archive's bytes; the stream fails when a file cannot be read
 */
export async function packJob(order: JobOrder, uploads: readonly Upload[]): Promise<Readable> {
  const { packTar } = await import("modern-tar/fs");
  const phases = join(packageRoot(), "phases");
  const text = (target: string, content: string) =>
    ({ type: "content", target, content, mode: 0o600 }) as const;
  return packTar([
    { type: "file", source: join(phases, "bin", "job"), target: "own/bin/job", mode: 0o755 },
    { type: "directory", source: join(phases, "lib"), target: "own/lib" },
    text("own/order", orderFile(order)),
    text("own/environment", environmentFile(order.environment)),
    text("own/command", commandFile(order.command)),
    ...uploads.map(({ kind, source, target, isCommand }) => ({
      type: kind,
      source,
      target: target === "." ? "work" : `work/${target}`,
      ...(isCommand ? { mode: 0o755 } : {}),
    })),
  ]);
}
