/*
 * What the metadata service shows of an instance. It is read from the state file anew for every request, so that
 * changed tags are seen at once; and by hand, because loading a schema library would double the time that each
 * connection takes to be answered.
 */

export interface InstanceView {
  readonly id: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly imageId: string;
  readonly type: string;
  readonly architecture: string;
  readonly region: string;
  readonly zone: string;
  /** Its placement group, and the partition of that. */
  readonly placement?: { readonly group: string; readonly partition: number | undefined } | undefined;
  readonly subnetId: string;
  readonly privateAddress: string;
  readonly publicAddress: string | undefined;
  readonly mac: string;
  readonly launchedAt: number;
  readonly key: { readonly name: string; readonly publicKey: string } | undefined;
  readonly groups: readonly { readonly id: string; readonly name: string }[];
  readonly userData: string | undefined;
  readonly spot: boolean;
  /** When EC2 takes it back, and from when on it is told. */
  readonly interruption?: { readonly noticeAt: number; readonly at: number } | undefined;
  /** `stop` or `hibernate`, where it is not terminated. */
  readonly interruptedBy?: string | undefined;
  readonly profileArn: string | undefined;
  readonly rootDevice: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: {
    readonly enabled: boolean;
    readonly tokensRequired: boolean;
    readonly tags: boolean;
    readonly key: string;
  };
}

/** The instance in a state file's text, or undefined when it is not there. */
export function viewOf(stateText: string, instanceId: string): InstanceView | undefined {
  const state: unknown = JSON.parse(stateText);
  const it = items(state, "instances").find((each) => textIn(each, "id") === instanceId);
  if (it === undefined) return undefined;
  const key = field(it, "key");
  const metadata = field(it, "metadata");
  const interruption = field(it, "interruption");
  const groupIds = items(it, "groupIds");
  return {
    id: instanceId,
    reservationId: textIn(it, "reservationId"),
    launchIndex: numberIn(it, "launchIndex"),
    imageId: textIn(it, "imageId"),
    type: textIn(it, "type"),
    architecture: textIn(it, "architecture"),
    region: textIn(it, "region"),
    zone: textIn(it, "zone"),
    placement: placementOf(state, field(it, "placement")),
    subnetId: textIn(it, "subnetId"),
    privateAddress: textIn(it, "privateAddress"),
    publicAddress: textOrNothing(it, "publicAddress"),
    mac: textIn(it, "mac"),
    launchedAt: numberIn(it, "launchedAt"),
    key: key === undefined ? undefined : { name: textIn(key, "name"), publicKey: textIn(key, "publicKey") },
    groups: items(state, "securityGroups")
      .filter((group) => groupIds.includes(field(group, "id")))
      .map((group) => ({ id: textIn(group, "id"), name: textIn(group, "name") })),
    userData: textOrNothing(it, "userData"),
    spot: field(it, "spot") === true,
    interruption:
      interruption === undefined
        ? undefined
        : { noticeAt: numberIn(interruption, "noticeAt"), at: numberIn(interruption, "at") },
    interruptedBy: textOrNothing(it, "interruptedBy"),
    profileArn: textOrNothing(it, "profileArn"),
    rootDevice: textIn(field(it, "volume"), "deviceName"),
    tags: Object.fromEntries(
      Object.entries(record(field(it, "tags"))).flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value]] : [],
      ),
    ),
    metadata: {
      enabled: field(metadata, "enabled") === true,
      tokensRequired: field(metadata, "tokensRequired") === true,
      tags: field(metadata, "tags") === true,
      key: textIn(metadata, "key"),
    },
  };
}

function placementOf(state: unknown, asked: unknown): InstanceView["placement"] {
  const id = textOrNothing(asked, "groupId");
  const group = items(state, "placementGroups").find((each) => id !== undefined && field(each, "id") === id);
  if (group === undefined) return undefined;
  const partition = field(asked, "partition");
  return {
    group: textIn(group, "name"),
    partition: typeof partition === "number" ? partition : undefined,
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function field(value: unknown, name: string): unknown {
  const fields = record(value);
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function items(value: unknown, name: string): readonly unknown[] {
  const list = field(value, name);
  return Array.isArray(list) ? list : [];
}

function textOrNothing(value: unknown, name: string): string | undefined {
  const text = field(value, name);
  return typeof text === "string" ? text : undefined;
}

function textIn(value: unknown, name: string): string {
  return textOrNothing(value, name) ?? "";
}

function numberIn(value: unknown, name: string): number {
  const number = field(value, name);
  return typeof number === "number" ? number : 0;
}
