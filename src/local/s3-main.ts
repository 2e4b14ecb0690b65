/*
 * The object store for one connection of a local machine: QEMU starts this program for each connection that the machine makes
 * to 169.254.169.252:80, with the connection as its standard input and output. So machines reach the store without any
 * service that would have to run.
 *
 * Argument: the cloud's directory.
 */
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { answerOverHttp } from "./s3/http.ts";
import { ObjectService } from "./s3/service.ts";

const [directory = ""] = process.argv.slice(2);
const objects = new ObjectService({
  directory,
  now: Date.now,
  intercept: async (_, carryOut) => await carryOut(),
});
const server = createServer((request, response) => {
  // The machine is told; there is nobody else here.
  void answerOverHttp(objects, request, response, () => undefined);
});
server.requestTimeout = 0;
const connection = Duplex.from({ readable: process.stdin, writable: process.stdout });
connection.on("error", leave);
connection.on("close", leave);
server.emit("connection", connection);

function leave(): void {
  process.exit(0);
}
