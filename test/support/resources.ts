import type { Image } from "../../src/aws/images.ts";
import type { Instance } from "../../src/aws/instances.ts";

/** An image as the cloud shows it, plain but for what is given. */
export function anImage(id: string, rest: Partial<Image> = {}): Image {
  return {
    id,
    name: id,
    state: "available",
    stateReason: undefined,
    architecture: "x86_64",
    createdAt: new Date("2026-01-01"),
    snapshotIds: [],
    tags: new Map(),
    ownerId: "000000000000",
    rootDeviceName: "/dev/xvda",
    description: "",
    deprecatedAt: undefined,
    imdsSupport: undefined,
    ...rest,
  };
}

/** A running instance without addresses, plain but for what is given. */
export function anInstance(id: string, rest: Partial<Instance> = {}): Instance {
  return {
    id,
    state: "running",
    stateReason: undefined,
    stateReasonCode: undefined,
    type: "t3.small",
    imageId: "ami-1",
    publicAddress: undefined,
    privateAddress: undefined,
    sshPort: 22,
    launchedAt: undefined,
    groupIds: [],
    tags: new Map(),
    subnetId: undefined,
    publicDns: undefined,
    ipv6Address: undefined,
    spot: false,
    spotRequestId: undefined,
    ...rest,
  };
}
