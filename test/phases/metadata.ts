import { createServer } from "node:http";
import { freePort } from "../support/nspawn.ts";

/** What an instance's metadata says; all of it can be changed between two boots. */
export interface InstanceFacts {
  tags: Readonly<Record<string, string>>;
  userData: string | Buffer | undefined;
  launchIndex: number;
  instanceId: string;
  region: string;
  /** The role's keys, or undefined for an instance without a profile. */
  role: RoleKeys | undefined;
  /** Whether it is there at all. */
  enabled: boolean;
}

export interface RoleKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly token: string;
}

export interface TestMetadata extends AsyncDisposable {
  readonly url: string;
  readonly facts: InstanceFacts;
  /** The tag `bake-ami:with`. */
  tag: string | undefined;
  /** Paths that were asked for, with their method. */
  readonly asked: string[];
}

/** An IMDSv2 service on loopback: instance i-0123 of image ami-4567. */
export async function fakeMetadata(
  tag?: string,
  changed: Partial<InstanceFacts> = {},
): Promise<TestMetadata> {
  const facts: InstanceFacts = {
    tags: tag === undefined ? {} : { "bake-ami:with": tag },
    userData: undefined,
    launchIndex: 0,
    instanceId: "i-0123",
    region: "local",
    role: undefined,
    enabled: true,
    ...changed,
  };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(`${request.method ?? ""} ${url}`);
    const answer = (status: number, body: string | Buffer): void => {
      response.writeHead(status).end(body);
    };
    if (!facts.enabled) answer(403, "Forbidden");
    else if (request.method === "PUT" && url === "/latest/api/token") {
      const isAsked = request.headers["x-aws-ec2-metadata-token-ttl-seconds"] !== undefined;
      answer(isAsked ? 200 : 400, "the-token");
    } else if (request.headers["x-aws-ec2-metadata-token"] !== "the-token") answer(401, "");
    else {
      const body = documentAt(url.replace(/^\/latest\//, ""), facts);
      if (body === undefined) answer(404, '<?xml version="1.0"?>\n<html>\n<p>404 - Not Found</p>\n</html>\n');
      else answer(200, body);
    }
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    facts,
    asked,
    get tag(): string | undefined {
      return facts.tags["bake-ami:with"];
    },
    set tag(value: string | undefined) {
      const others = Object.fromEntries(
        Object.entries(facts.tags).filter(([name]) => name !== "bake-ami:with"),
      );
      facts.tags = value === undefined ? others : { ...others, "bake-ami:with": value };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function documentAt(path: string, facts: InstanceFacts): string | Buffer | undefined {
  const tag = path.replace(/^meta-data\/tags\/instance\//, "");
  if (tag !== path) return facts.tags[decodeURIComponent(tag)];
  const { role } = facts;
  switch (path) {
    case "user-data":
      return facts.userData;
    case "meta-data/instance-id":
      return facts.instanceId;
    case "meta-data/ami-id":
      return "ami-4567";
    case "meta-data/ami-launch-index":
      return String(facts.launchIndex);
    case "meta-data/placement/region":
      return facts.region;
    case "meta-data/iam/security-credentials/":
      return role === undefined ? undefined : "the-role";
    case "meta-data/iam/security-credentials/the-role":
      return role === undefined
        ? undefined
        : JSON.stringify(
            {
              Code: "Success",
              LastUpdated: "2026-01-01T00:00:00Z",
              Type: "AWS-HMAC",
              AccessKeyId: role.accessKeyId,
              SecretAccessKey: role.secretAccessKey,
              Token: role.token,
              Expiration: "2036-01-01T00:00:00Z",
            },
            undefined,
            2,
          );
    default:
      return undefined;
  }
}
