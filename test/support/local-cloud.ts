import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EC2Client } from "@aws-sdk/client-ec2";
import { registerBaseImage } from "../../src/local/base-images.ts";
import type { LocalCloud } from "../../src/local/cloud.ts";
import { openLocalCloud, type OpenOptions } from "../../src/local/open.ts";
import { requestHandler } from "../../src/local/sdk-handler.ts";
import { Store } from "../../src/local/state/store.ts";

/** A local cloud without virtual machines, in a directory of its own, with a base image that has no disk behind it. */
export interface StateOnlyCloud extends AsyncDisposable {
  readonly directory: string;
  readonly cloud: LocalCloud;
  /** The id of the base image. */
  readonly imageId: string;
  /** A client of the real SDK; every one talks to the same cloud. */
  readonly ec2: EC2Client;
}

/** What every client of a local cloud can be made with. */
export function clientOptions(cloud: LocalCloud): {
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requestHandler: ReturnType<typeof requestHandler>;
} {
  return {
    region: "local",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: requestHandler(cloud),
  };
}

/** Memory where it can be had as a directory: a cloud forces each change of its state to disk, and some tests make many. */
export const quickDirectory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Opens a {@link StateOnlyCloud} in a directory of its own within `parent`; disposing it removes that. */
export async function stateOnlyCloud(
  options: Partial<OpenOptions> = {},
  parent = tmpdir(),
): Promise<StateOnlyCloud> {
  const directory = await mkdtemp(join(parent, "bake-ami-cloud-"));
  const imageId = await new Store(directory).change(
    (draft) =>
      registerBaseImage(
        draft,
        {
          base: "debian-12",
          name: "debian-12-amd64-20260102",
          description: "a base image without a disk",
          architecture: "x86_64",
          sizeGiB: 8,
          disk: "disk-00000000000000001",
          boot: { kind: "disk" },
        },
        Date.parse("2026-01-02"),
      ),
    AbortSignal.timeout(10_000),
  );
  const cloud = openLocalCloud({ engine: "state-only", ...options, directory });
  return {
    directory,
    cloud,
    imageId,
    ec2: new EC2Client(clientOptions(cloud)),
    [Symbol.asyncDispose]: async () => {
      // A call that nobody waits for any more, of several at once, may still write.
      await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}
