import type { Image } from "../../src/aws/images.ts";
import type { Instance, InstanceState } from "../../src/aws/instances.ts";
import { runTags, type Role, type TaggedResource } from "../../src/aws/tags.ts";
import type { Inventory } from "../../src/cleanup/inventory.ts";

interface Tagging {
  readonly role: Role;
  readonly run: string;
  readonly expires?: Date;
  /** Default: `me`. */
  readonly owner?: string;
}

/** Anything with the tags that bake-ami gives. */
export function tagged(id: string, { role, run, expires, owner = "me" }: Tagging): TaggedResource {
  return { id, tags: runTags({ run, owner, role, ...(expires === undefined ? {} : { expires }) }) };
}

export function instance(
  id: string,
  options: Tagging & { readonly state?: InstanceState; readonly groupIds?: readonly string[] },
): Instance {
  return {
    ...tagged(id, options),
    state: options.state ?? "running",
    stateReason: undefined,
    type: "t3.small",
    imageId: "ami-1",
    publicAddress: undefined,
    privateAddress: undefined,
    sshPort: 22,
    launchedAt: undefined,
    groupIds: options.groupIds ?? [],
  };
}

export function image(
  id: string,
  options: Omit<Tagging, "role"> & { readonly state?: string; readonly snapshotIds: readonly string[] },
): Image {
  return {
    ...tagged(id, { ...options, role: "image" }),
    name: id,
    state: options.state ?? "available",
    stateReason: undefined,
    architecture: "x86_64",
    createdAt: new Date(0),
    snapshotIds: options.snapshotIds,
  };
}

export function inventoryOf(parts: Partial<Inventory>): Inventory {
  return { instances: [], images: [], snapshots: [], groups: [], keys: [], ...parts };
}
