import { spawn } from "node:child_process";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { guestProgram } from "../../src/local/qemu/guest-program.ts";

/** What a machine of a local cloud reaches, on loopback ports: each connection starts the program that QEMU would start. */
export interface GuestNetwork extends AsyncDisposable {
  /** In the place of http://169.254.169.254. */
  readonly metadata: string;
  /** In the place of http://169.254.169.252. */
  readonly services: string;
}

/** @param directory the cloud's */
export async function openGuestNetwork(directory: string, instanceId: string): Promise<GuestNetwork> {
  const metadata = await listen(await guestProgram("imds-main"), [join(directory, "state.json"), instanceId]);
  const services = await listen(await guestProgram("services-main"), [directory]);
  return {
    metadata: metadata.url,
    services: services.url,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([metadata.close(), services.close()]);
    },
  };
}

async function listen(
  program: string,
  args: readonly string[],
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const running = new Set<Promise<unknown>>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("close", resolve));
    running.add(ended);
    void ended.then(() => running.delete(ended));
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      child.stdin.end();
    });
    socket.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = addressOf(server);
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(running);
    },
  };
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address;
}
