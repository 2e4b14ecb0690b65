/*
 * The metadata service of one instance, for one connection: QEMU starts this program for each connection that the
 * machine makes to 169.254.169.254:80, with the connection as its standard input and output.
 *
 * Arguments: the cloud's state file, the instance's id.
 */
import { readFileSync } from "node:fs";
import { viewOf } from "./imds/instance-view.ts";
import { respond, type MetadataRequest, type MetadataResponse } from "./imds/respond.ts";

const [stateFile = "", instanceId = ""] = process.argv.slice(2);
const largestHead = 64 * 1024;
const idleMs = 60_000;

let pending: Buffer = Buffer.alloc(0);
let idle = setTimeout(leave, idleMs);
process.stdin.on("data", (data: Buffer) => {
  clearTimeout(idle);
  idle = setTimeout(leave, idleMs);
  pending = Buffer.concat([pending, data]);
  while (answerOne());
});
process.stdin.on("end", leave);
process.stdin.on("error", leave);
process.stdout.on("error", leave);

/** @returns whether there was a whole request */
function answerOne(): boolean {
  const end = pending.indexOf("\r\n\r\n");
  if (end < 0) {
    if (pending.length > largestHead) write({ status: 431, headers: {}, body: "" }, false, true);
    return false;
  }
  const [requestLine = "", ...lines] = pending.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const bodyLength = Number(headers["content-length"] ?? 0);
  if (pending.length < end + 4 + bodyLength) return false;
  pending = pending.subarray(end + 4 + bodyLength);
  const [method = "", target = "", version = ""] = requestLine.split(" ");
  const closes =
    headers["connection"]?.toLowerCase() === "close" ||
    (version === "HTTP/1.0" && headers["connection"]?.toLowerCase() !== "keep-alive");
  write(answer({ method, target, headers }), method === "HEAD", closes);
  return !closes;
}

function answer(request: MetadataRequest): MetadataResponse {
  try {
    const view = viewOf(readFileSync(stateFile, "utf8"), instanceId);
    if (view !== undefined) return respond(request, view, Date.now());
  } catch {
    // The machine can do nothing about it but try again.
  }
  return { status: 500, headers: {}, body: "500 - Internal Server Error\n" };
}

function write(response: MetadataResponse, withoutBody: boolean, closes: boolean): void {
  const body = Buffer.from(response.body);
  const head = [
    `HTTP/1.1 ${response.status} ${response.status === 200 ? "OK" : "Error"}`,
    ...Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`),
    "server: EC2ws",
    `content-length: ${body.length}`,
    `connection: ${closes ? "close" : "keep-alive"}`,
  ];
  const content = withoutBody ? Buffer.alloc(0) : body;
  process.stdout.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), content]));
  if (closes) process.stdout.end(leave);
}

function leave(): void {
  process.exit(0);
}
