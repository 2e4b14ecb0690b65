import { createServer } from "node:net";
import { randomInt } from "node:crypto";
import { platform } from "node:os";
import { BakeError, systemCodeOf } from "../../base/errors.ts";
import type { Forward, Instance } from "../state/schema.ts";

/** Only Linux answers on all of 127.0.0.0/8 without being told to. */
const hasOwnAddresses = platform() === "linux";

/** An address of this computer's own for an instance, so that its ports can keep their numbers. */
export function loopbackAddress(taken: ReadonlySet<string>): string {
  if (!hasOwnAddresses) return "127.0.0.1";
  for (;;) {
    const address = `127.${randomInt(64, 127)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    if (!taken.has(address)) return address;
  }
}

/** See `Engine.place`. */
export async function placePorts(
  instance: Instance,
  ports: readonly number[],
  taken: ReadonlySet<number>,
): Promise<Forward[]> {
  const address = instance.publicAddress;
  if (address === undefined) return [];
  const placed: Forward[] = [];
  for (const port of ports) {
    const before = instance.forwards.find((forward) => forward.port === port);
    // The port of a running machine is taken: by itself.
    if (before !== undefined && instance.state === "running") placed.push(before);
    else {
      const others = new Set([...taken, ...placed.map(({ hostPort }) => hostPort)]);
      placed.push({
        port,
        hostPort: await freePort(address, [before?.hostPort, hasOwnAddresses ? port : 0], others),
      });
    }
  }
  return placed;
}

async function freePort(
  address: string,
  wishes: readonly (number | undefined)[],
  taken: ReadonlySet<number>,
): Promise<number> {
  for (const wish of [...wishes, 0, 0, 0, 0, 0]) {
    if (wish === undefined || taken.has(wish)) continue;
    const port = await bindable(address, wish);
    if (port !== undefined && !taken.has(port)) return port;
  }
  throw new BakeError("failed", `there is no free port at ${address}`);
}

/** @returns the port when this user may listen at it now (0 asks for any), else undefined */
async function bindable(address: string, port: number): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      if (["EADDRINUSE", "EACCES", "EADDRNOTAVAIL"].includes(systemCodeOf(error) ?? "")) resolve(undefined);
      else reject(error);
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => {
        resolve(typeof bound === "object" && bound !== null ? bound.port : undefined);
      });
    });
  });
}
