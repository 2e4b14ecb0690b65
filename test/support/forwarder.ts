import { createServer, connect, type Server, type Socket } from "node:net";

/** A TCP forwarder on loopback whose connections can be cut. */
export class Forwarder implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(from: number, to: number): Promise<Forwarder> {
    const server = createServer();
    const forwarder = new Forwarder(server);
    server.on("connection", (near) => {
      const far = connect(to, "127.0.0.1");
      for (const socket of [near, far]) {
        forwarder.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          forwarder.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(from, "127.0.0.1", resolve));
    return forwarder;
  }

  /** Cuts every connection that is open now; new ones are forwarded again. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
