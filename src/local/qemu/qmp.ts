import { mkdtemp, rm, symlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { BakeError } from "../../base/errors.ts";

/** A machine that does not answer for so long is busy or hung; the caller goes by what else it sees. */
const deadlineMs = 10_000;

const reply = z.object({
  id: z.number().optional(),
  return: z.unknown().optional(),
  error: z.object({ class: z.string(), desc: z.string() }).optional(),
  QMP: z.unknown().optional(),
  event: z.string().optional(),
});

export interface QmpCommand {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/**
 * Sends commands to a running QEMU, one after the other, over a connection of its own.
 * @returns what each returned
 * @throws BakeError `failed` when QEMU refuses one, `connection` when it is not there or does not answer
 */
export async function qmp(socketPath: string, commands: readonly QmpCommand[]): Promise<unknown[]> {
  return await withShortPath(
    socketPath,
    async (path) =>
      await new Promise<unknown[]>((resolve, reject) => {
        const socket = connect(path);
        const clock = setTimeout(() => {
          socket.destroy(new Error(`no answer within ${deadlineMs / 1000} s`));
        }, deadlineMs);
        const fail = (error: Error): void => {
          clearTimeout(clock);
          reject(
            error instanceof BakeError
              ? error
              : new BakeError("connection", `QEMU does not answer: ${error.message}`, { cause: error }),
          );
        };
        socket.on("error", fail);
        socket.on("close", () => {
          fail(new Error("the connection ended"));
        });
        converse(socket, [{ execute: "qmp_capabilities" }, ...commands], ([, ...results]) => {
          clearTimeout(clock);
          resolve(results);
          socket.end();
        });
      }),
  );
}

function converse(socket: Socket, commands: readonly QmpCommand[], done: (results: unknown[]) => void): void {
  const results: unknown[] = [];
  const send = (): void => {
    const command = commands[results.length];
    if (command === undefined) done(results);
    else socket.write(`${JSON.stringify({ ...command, id: results.length })}\n`);
  };
  let text = "";
  socket.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line: unknown = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      const message = reply.parse(line);
      if (message.error !== undefined) {
        const what = commands[results.length]?.execute ?? "";
        socket.destroy(new BakeError("failed", `QEMU refused ${what}: ${message.error.desc}`));
        return;
      }
      // Greeting and answers move the conversation on; events come in between.
      if (message.QMP !== undefined) send();
      else if (message.event === undefined && message.id === results.length) {
        results.push(message.return);
        send();
      }
    }
  });
}

/** The path of a socket has room for about 100 characters only; a longer one is reached through a link. */
async function withShortPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= 100) return await use(path);
  const directory = await mkdtemp(join(tmpdir(), "q-"));
  try {
    await symlink(dirname(path), join(directory, "d"));
    return await use(join(directory, "d", basename(path)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
