import type { Call } from "../cloud.ts";
import { ApiError, idKinds } from "../protocol/errors.ts";
import type { QueryNode } from "../protocol/query.ts";
import type { State } from "../state/schema.ts";
import type { CheckedFaultPlan } from "./plan.ts";

type Kind = keyof CheckedFaultPlan["consistency"];

interface Resource {
  readonly kind: Kind;
  readonly id: string;
  readonly name?: string;
  readonly createdAt: number;
  readonly visibleAt: number | undefined;
}

/** Which actions list resources of a kind, and so would show a new one without naming it. */
const listedBy: Readonly<Record<Kind, readonly string[]>> = {
  instance: ["DescribeInstances", "DescribeInstanceStatus", "DescribeVolumes", "DescribeTags"],
  image: ["DescribeImages", "DescribeTags"],
  snapshot: ["DescribeSnapshots", "DescribeTags"],
  securityGroup: ["DescribeSecurityGroups", "DescribeTags"],
  keyPair: ["DescribeKeyPairs", "DescribeTags"],
};

const notFound: Readonly<Record<Kind, { readonly notFound: string; readonly noun: string }>> = {
  instance: idKinds.instance,
  image: idKinds.image,
  snapshot: idKinds.snapshot,
  securityGroup: idKinds.group,
  keyPair: idKinds.keyPair,
};

/** Parameters that hold other people's words, in which an id means nothing, or what is looked up only later. */
const freeText = new Set([
  "Action",
  "Version",
  "Filter",
  "Tag",
  "TagSpecification",
  "UserData",
  "ClientToken",
  "LaunchTemplateData",
]);

/** Names that a call gives to what it makes or (EC2 deletes a key pair that is not there without a word) ends. */
const nameIsNew: Readonly<Record<string, string>> = {
  CreateSecurityGroup: "GroupName",
  ImportKeyPair: "KeyName",
  CreateKeyPair: "KeyName",
  DeleteKeyPair: "KeyName",
};

const nameParameters: Partial<Record<Kind, readonly string[]>> = {
  securityGroup: ["GroupName", "SecurityGroup"],
  keyPair: ["KeyName"],
};

/** What is not seen yet by one process, for `hiddenCalls`: only what was made since that process opened the cloud. */
export interface Seen {
  readonly openedAt: number;
  /** How many calls in vain there were for each id. */
  readonly calls: Map<string, number>;
}

/**
 * What one call may see of the state: without resources that are too new to be known everywhere, and with earlier states
 * of those that changed a moment ago. Pure but for the count of calls.
 * @throws ApiError `.NotFound` when the call names such a resource
 */
export function viewFor(
  plan: CheckedFaultPlan,
  call: Pick<Call, "action" | "query">,
  state: State,
  now: number,
  seen: Seen,
): (state: State) => State {
  const named = namesIn(call);
  const hiddenByCount = new Set<string>();
  for (const resource of resourcesOf(state)) {
    const limit = plan.consistency[resource.kind]?.hiddenCalls ?? 0;
    const isNamed = named.has(resource.id) || isCalledByName(named, resource);
    if (limit > 0 && resource.createdAt >= seen.openedAt) {
      const before = seen.calls.get(resource.id) ?? 0;
      if (before < limit) {
        hiddenByCount.add(resource.id);
        if (isNamed || listedBy[resource.kind].includes(call.action)) seen.calls.set(resource.id, before + 1);
      }
    }
    if (isNamed && (hiddenByCount.has(resource.id) || isTooNew(resource, now))) throw missing(resource);
  }
  return (whole) => visiblePart(whole, now, hiddenByCount);
}

/** The state as calls see it at this time. Pure. */
export function visiblePart(state: State, now: number, alsoHidden: ReadonlySet<string>): State {
  const isSeen = ({ id, visibleAt }: { id: string; visibleAt?: number | undefined }): boolean =>
    !alsoHidden.has(id) && now >= (visibleAt ?? 0);
  return {
    ...state,
    instances: state.instances.filter(isSeen).map((instance) => {
      const { earlier } = instance;
      if (earlier === undefined || now >= earlier.until) return instance;
      return { ...instance, state: earlier.state, stateReason: undefined, transitionReason: "" };
    }),
    images: state.images.filter(isSeen).map((image) => {
      const { earlier } = image;
      if (earlier === undefined || now >= earlier.until) return image;
      return { ...image, state: earlier.state, stateReason: undefined };
    }),
    snapshots: state.snapshots.filter(isSeen),
    securityGroups: state.securityGroups.filter(isSeen),
    keyPairs: state.keyPairs.filter(isSeen),
  };
}

function isTooNew({ visibleAt }: Resource, now: number): boolean {
  return now < (visibleAt ?? 0);
}

function resourcesOf(state: State): Resource[] {
  return [
    ...state.instances.map((it) => made("instance", it, it.volume.createdAt)),
    ...state.images.map(({ id, visibleAt, createdAt }) => made("image", { id, visibleAt }, createdAt)),
    ...state.snapshots.map((it) => made("snapshot", it, it.startedAt)),
    ...state.securityGroups.map((it) => ({ ...made("securityGroup", it, it.createdAt ?? 0), name: it.name })),
    ...state.keyPairs.map((it) => ({ ...made("keyPair", it, it.createdAt), name: it.name })),
  ];
}

function made(kind: Kind, it: { id: string; visibleAt?: number | undefined }, createdAt: number): Resource {
  return { kind, id: it.id, createdAt, visibleAt: it.visibleAt };
}

/** Everything that a call's parameters hold, each value with the name of the parameter that it is in. */
function namesIn({
  action,
  query,
}: Pick<Call, "action" | "query">): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  const gather = (node: QueryNode, parameter: string): void => {
    if (typeof node === "string") {
      names.set(node, (names.get(node) ?? new Set()).add(parameter));
      return;
    }
    // A list's positions are no names.
    for (const [name, child] of Object.entries(node)) gather(child, /^\d+$/.test(name) ? parameter : name);
  };
  for (const [name, node] of Object.entries(query)) {
    if (!freeText.has(name) && name !== nameIsNew[action]) gather(node, name);
  }
  return names;
}

function isCalledByName(named: ReadonlyMap<string, ReadonlySet<string>>, { kind, name }: Resource): boolean {
  if (name === undefined) return false;
  const parameters = named.get(name);
  return nameParameters[kind]?.some((parameter) => parameters?.has(parameter) === true) === true;
}

function missing({ kind, id }: Resource): ApiError {
  const { notFound: code, noun } = notFound[kind];
  return new ApiError(code, `The ${noun} '${id}' does not exist`);
}
