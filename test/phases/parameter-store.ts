import { createServer } from "node:http";
import { z } from "zod";
import {
  canonicalRequest,
  isSame,
  sha256Hex,
  signatureOf,
  signingKey,
  stringToSign,
} from "../../src/local/s3/signature.ts";
import { freePort } from "../support/nspawn.ts";
import type { RoleKeys } from "./metadata.ts";

export interface ParameterStore extends AsyncDisposable {
  readonly url: string;
  /** Name -> value; `Error` for one that is refused. */
  readonly values: Map<string, string | Error>;
  /** Answers that come before the right ones: HTTP statuses. */
  readonly troubles: number[];
}

const requestBody = z.object({ Name: z.string(), WithDecryption: z.literal(true) });

/** GetParameter of Systems Manager on loopback, for the keys of one role; every signature is checked. */
export async function parameterStore(keys: RoleKeys): Promise<ParameterStore> {
  const values = new Map<string, string | Error>();
  const troubles: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const answer = (status: number, content: object): void => {
        response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
        response.end(JSON.stringify(content));
      };
      const refuse = (type: string, message: string): void => {
        answer(400, { __type: type, message });
      };
      const trouble = troubles.shift();
      if (trouble !== undefined) {
        answer(trouble, {});
        return;
      }
      const problem = problemOf(request.headers, body, keys);
      if (problem !== undefined) {
        refuse("InvalidSignatureException", problem);
        return;
      }
      if (request.headers["x-amz-target"] !== "AmazonSSM.GetParameter") {
        refuse("UnknownOperationException", "");
        return;
      }
      const { Name } = requestBody.parse(JSON.parse(body));
      const Value = values.get(Name);
      if (Value === undefined) refuse("ParameterNotFound", "");
      else if (Value instanceof Error) refuse("AccessDeniedException", Value.message);
      else {
        answer(200, {
          Parameter: {
            ARN: `arn:aws:ssm:local:000000000000:parameter${Name}`,
            Name,
            Type: "SecureString",
            Value,
          },
        });
      }
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    values,
    troubles,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What is wrong with a request's signature, or undefined. */
function problemOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  keys: RoleKeys,
): string | undefined {
  const text = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(",") : (value ?? ""),
    ]),
  );
  const claim =
    /^AWS4-HMAC-SHA256 Credential=(?<id>[^/]+)\/(?<date>\d{8})\/(?<region>[^/]+)\/ssm\/aws4_request, ?SignedHeaders=(?<signed>[^,]+), ?Signature=(?<signature>[0-9a-f]{64})$/.exec(
      text["authorization"] ?? "",
    )?.groups;
  if (claim === undefined) return `not a signature: ${text["authorization"] ?? ""}`;
  const { id = "", date = "", region = "", signed = "", signature = "" } = claim;
  if (id !== keys.accessKeyId) return "another key";
  if (text["x-amz-security-token"] !== keys.token) return "another token";
  const signedHeaders = signed.split(";");
  for (const name of ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"]) {
    if (!signedHeaders.includes(name)) return `${name} is not signed`;
  }
  const scope = { date, region, service: "ssm" };
  const canonical = canonicalRequest({
    method: "POST",
    path: "/",
    query: [],
    headers: text,
    signedHeaders,
    payload: sha256Hex(body),
  });
  const right = signatureOf(
    signingKey(keys.secretAccessKey, scope),
    stringToSign(text["x-amz-date"] ?? "", scope, canonical),
  );
  return isSame(right, signature) ? undefined : `the signature does not match:\n${canonical}`;
}
