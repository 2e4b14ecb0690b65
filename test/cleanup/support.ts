import type { Image } from "../../src/aws/images.ts";
import type { Instance, InstanceState } from "../../src/aws/instances.ts";
import { runTags, type Role, type TaggedResource } from "../../src/aws/tags.ts";
import type { Inventory } from "../../src/cleanup/inventory.ts";
import { anImage, anInstance } from "../support/resources.ts";

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
  return anInstance(id, {
    ...tagged(id, options),
    state: options.state ?? "running",
    groupIds: options.groupIds ?? [],
  });
}

export function image(
  id: string,
  options: Omit<Tagging, "role"> & { readonly state?: string; readonly snapshotIds: readonly string[] },
): Image {
  return anImage(id, {
    ...tagged(id, { ...options, role: "image" }),
    state: options.state ?? "available",
    snapshotIds: options.snapshotIds,
  });
}

export function inventoryOf(parts: Partial<Inventory>): Inventory {
  return {
    instances: [],
    images: [],
    snapshots: [],
    groups: [],
    keys: [],
    addresses: [],
    spotRequests: [],
    ...parts,
  };
}
