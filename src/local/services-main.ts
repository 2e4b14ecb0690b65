/*
 * The cloud's services for one connection of a local machine: QEMU starts this program for each connection that the machine
 * makes to 169.254.169.252:80, with the connection as its standard input and output. So machines reach S3, Systems Manager,
 * STS and EC2 without any service that would have to run.
 *
 * Argument: the cloud's directory.
 */
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { LocalCloud } from "./cloud.ts";
import { stateOnlyEngine } from "./engine/state-only.ts";
import { answerRequest } from "./http.ts";
import { policyInterceptor } from "./policy/interceptor.ts";
import { qemuEngine } from "./qemu/engine.ts";

/** How long a call goes on that nobody waits for any longer, such as a machine's that terminates itself. */
const finishMs = 120_000;

const [directory = ""] = process.argv.slice(2);
// Without what only commands need, such as fault plans: every connection waits for all that is loaded here.
const cloud = new LocalCloud({
  directory,
  engines: [qemuEngine(directory), stateOnlyEngine()],
  intercept: policyInterceptor(undefined, directory),
  clients: "machines",
});
const running = new Set<Promise<void>>();
const nothing = (): undefined => undefined;

const server = createServer((request, response) => {
  // Of an error the machine is told; there is nobody else here.
  const answered = answerRequest(cloud, request, response, nothing, nothing)
    .catch(nothing)
    .finally(() => {
      running.delete(answered);
    });
  running.add(answered);
});
server.requestTimeout = 0;
const connection = Duplex.from({ readable: process.stdin, writable: process.stdout });
connection.on("error", leave);
connection.on("close", leave);
server.emit("connection", connection);

function leave(): void {
  setTimeout(() => {
    process.exit(0);
  }, finishMs);
  void Promise.allSettled(running).then(() => {
    process.exit(0);
  });
}
