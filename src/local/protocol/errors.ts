/** An error in EC2's own terms; it becomes the XML that clients turn into their exception. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** Such as `InvalidInstanceID.NotFound`. */
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The error for a value that EC2 would not take either, or that the local cloud cannot do. */
export function invalidValue(parameter: string, value: string, why: string): ApiError {
  return new ApiError(
    "InvalidParameterValue",
    `Value (${value}) for parameter ${parameter} is invalid. ${why}`,
  );
}

interface IdKind {
  readonly prefix: string;
  readonly malformed: string;
  readonly notFound: string;
  readonly noun: string;
}

export const idKinds = {
  instance: {
    prefix: "i-",
    malformed: "InvalidInstanceID.Malformed",
    notFound: "InvalidInstanceID.NotFound",
    noun: "instance ID",
  },
  image: {
    prefix: "ami-",
    malformed: "InvalidAMIID.Malformed",
    notFound: "InvalidAMIID.NotFound",
    noun: "image id",
  },
  snapshot: {
    prefix: "snap-",
    malformed: "InvalidSnapshotID.Malformed",
    notFound: "InvalidSnapshot.NotFound",
    noun: "snapshot",
  },
  volume: {
    prefix: "vol-",
    malformed: "InvalidVolumeID.Malformed",
    notFound: "InvalidVolume.NotFound",
    noun: "volume",
  },
  group: {
    prefix: "sg-",
    malformed: "InvalidGroupId.Malformed",
    notFound: "InvalidGroup.NotFound",
    noun: "security group",
  },
  keyPair: {
    prefix: "key-",
    malformed: "InvalidKeyPair.Format",
    notFound: "InvalidKeyPair.NotFound",
    noun: "key pair ID",
  },
  vpc: {
    prefix: "vpc-",
    malformed: "InvalidVpcID.Malformed",
    notFound: "InvalidVpcID.NotFound",
    noun: "vpc ID",
  },
  subnet: {
    prefix: "subnet-",
    malformed: "InvalidSubnetID.Malformed",
    notFound: "InvalidSubnetID.NotFound",
    noun: "subnet ID",
  },
  launchTemplate: {
    prefix: "lt-",
    malformed: "InvalidLaunchTemplateId.Malformed",
    notFound: "InvalidLaunchTemplateId.NotFound",
    noun: "launch template ID",
  },
  placementGroup: {
    prefix: "pg-",
    malformed: "InvalidPlacementGroupId.Malformed",
    notFound: "InvalidPlacementGroup.Unknown",
    noun: "placement group ID",
  },
  address: {
    prefix: "eipalloc-",
    malformed: "InvalidAllocationID.NotFound",
    notFound: "InvalidAllocationID.NotFound",
    noun: "allocation ID",
  },
  spotRequest: {
    prefix: "sir-",
    malformed: "InvalidSpotInstanceRequestID.Malformed",
    notFound: "InvalidSpotInstanceRequestID.NotFound",
    noun: "spot instance request ID",
  },
} as const satisfies Record<string, IdKind>;

/**
 * The resources with these ids, in that order.
 * @throws ApiError `.Malformed` or `.NotFound` of the kind, naming every id that does not exist.
 */
export function byIds<T>(
  kind: keyof typeof idKinds,
  ids: readonly string[],
  items: readonly T[],
  idOf: (item: T) => string,
): T[] {
  const { prefix, malformed, notFound, noun } = idKinds[kind];
  for (const id of ids) {
    if (!id.startsWith(prefix) || !/^[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(id.slice(prefix.length))) {
      throw new ApiError(malformed, `Invalid id: "${id}" (expecting "${prefix}...")`);
    }
  }
  const found = new Map(items.map((item) => [idOf(item), item]));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) {
    const what =
      missing.length === 1 ? `${noun} '${missing.join()}' does` : `${noun}s '${missing.join(", ")}' do`;
    throw new ApiError(notFound, `The ${what} not exist`);
  }
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** @throws ApiError as {@link byIds} does. */
export function byId<T>(
  kind: keyof typeof idKinds,
  id: string,
  items: readonly T[],
  idOf: (item: T) => string,
): T {
  const [item] = byIds(kind, [id], items, idOf);
  if (item === undefined) throw new ApiError("InternalError", `${id} vanished`, 500);
  return item;
}
