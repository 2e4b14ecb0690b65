import { createHmac, timingSafeEqual } from "node:crypto";
import type { InstanceView } from "./instance-view.ts";
import { metadataTree, type Node } from "./tree.ts";

export interface MetadataRequest {
  readonly method: string;
  /** Path with query, as in the request line. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface MetadataResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

const versions = ["1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"];
const ttlHeader = "x-aws-ec2-metadata-token-ttl-seconds";

/** The metadata service's answer, version 2: pure, down to the clock. Times in milliseconds since the epoch. */
export function respond(request: MetadataRequest, it: InstanceView, now: number): MetadataResponse {
  if (!it.metadata.enabled) return problem(403, "Forbidden");
  const path = (request.target.split("?")[0] ?? "").split("/").filter((step) => step !== "");
  const [version, ...rest] = path.map(decoded);
  if (version === "latest" && rest.join("/") === "api/token") return tokenResponse(request, it, now);
  if (request.method !== "GET" && request.method !== "HEAD") return problem(405, "Method Not Allowed");
  const token = request.headers["x-aws-ec2-metadata-token"];
  if (token === undefined ? it.metadata.tokensRequired : !isValid(token, it, now)) {
    return problem(401, "Unauthorized");
  }
  if (version === undefined) return document(versions.join("\n"));
  if (!versions.includes(version)) return problem(404, "Not Found");
  const node = find(metadataTree(it, now), rest);
  if (node === undefined) return problem(404, "Not Found");
  return document(contentOf(node));
}

function contentOf(node: Node): string | Buffer {
  return typeof node === "string" || Buffer.isBuffer(node) ? node : listing(node);
}

function find(root: Node, path: readonly string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const step of path) {
    if (node === undefined || typeof node === "string" || Buffer.isBuffer(node)) return undefined;
    // The listing of public keys says `0=name`, but the way there is `0`.
    const name: string | undefined = node.has(step)
      ? step
      : [...node.keys()].find((each) => /^\d+=/.test(each) && each.split("=")[0] === step);
    node = name === undefined ? undefined : node.get(name);
  }
  return node;
}

function listing(entries: ReadonlyMap<string, Node>): string {
  return [...entries]
    .map(([name, node]) => {
      const isDocument = typeof node === "string" || Buffer.isBuffer(node) || name.includes("=");
      return isDocument ? name : `${name}/`;
    })
    .sort()
    .join("\n");
}

function tokenResponse(request: MetadataRequest, it: InstanceView, now: number): MetadataResponse {
  if (request.method !== "PUT") return problem(405, "Method Not Allowed");
  // A request that came through a proxy is none of the machine's own.
  if (request.headers["x-forwarded-for"] !== undefined) return problem(403, "Forbidden");
  const seconds = request.headers[ttlHeader] ?? "";
  if (!/^\d{1,5}$/.test(seconds) || Number(seconds) < 1 || Number(seconds) > 21_600) {
    return problem(400, "Bad Request");
  }
  const expires = String(now + Number(seconds) * 1000);
  const token = Buffer.from(`${expires}.${signature(expires, it)}`).toString("base64url");
  return { status: 200, headers: { "content-type": "text/plain", [ttlHeader]: seconds }, body: token };
}

/** Tokens carry their own end, signed: so nothing has to remember them between two connections. */
function signature(expires: string, it: InstanceView): string {
  return createHmac("sha256", it.metadata.key).update(`${it.id} ${expires}`).digest("base64url");
}

function isValid(token: string, it: InstanceView, now: number): boolean {
  const [expires = "", given = ""] = Buffer.from(token, "base64url").toString("latin1").split(".");
  const right = Buffer.from(signature(expires, it));
  const claimed = Buffer.from(given);
  return claimed.length === right.length && timingSafeEqual(claimed, right) && Number(expires) > now;
}

function document(body: string | Buffer): MetadataResponse {
  return { status: 200, headers: { "content-type": "text/plain" }, body };
}

function problem(status: number, title: string): MetadataResponse {
  return { status, headers: { "content-type": "text/plain" }, body: `${status} - ${title}\n` };
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
