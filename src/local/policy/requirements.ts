import type { Question } from "./evaluate.ts";
import { tagsAt, tagSpecifications, textAt, textsAt, type Query } from "./request.ts";
import { launchNeeds } from "./launch-needs.ts";
import { s3Needs } from "./s3-needs.ts";
import { joinKeys, keysOf, parameter, requestTags, type Subject, type Subjects } from "./subjects.ts";
import { isResourceTag } from "./vocabulary.ts";

/** One call, as far as authorisation looks at it. */
export interface Asked {
  /** `ec2`, `sts`, `ssm` or `s3`. */
  readonly service: string;
  readonly action: string;
  readonly query: Query;
  readonly region: string;
  readonly subjects: Subjects;
}

/** An action on a resource; the action is the called one where none is named. */
export interface Need {
  readonly action?: string;
  /** Absent for actions that are not authorised against a resource. */
  readonly on?: Subject;
}

type Needs = (asked: Asked) => readonly Need[];

/*
 * What each action is authorised against, as AWS's Service Authorization Reference says; a test compares this with a
 * copy of that. Each thing that is needed is asked for by itself, and all must be allowed.
 */

const anything: Needs = () => [{}];

const instances: Needs = ({ query, subjects }) =>
  [textAt(query, "InstanceId") ?? [], textsAt(query, "InstanceId")]
    .flat()
    .map((id) => ({ on: subjects.instance(id) }));

const image: Needs = ({ query, subjects }) => [{ on: subjects.image(textAt(query, "ImageId") ?? "") }];

const group: Needs = ({ query, subjects }) => [
  { on: subjects.group(textAt(query, "GroupId") ?? textAt(query, "GroupName") ?? "") },
];

/** The tags of what is created need ec2:CreateTags on it, with the creating action in `ec2:CreateAction`. */
function tagging({ action, query, subjects }: Asked, ids: Readonly<Record<string, string>> = {}): Need[] {
  return [...tagSpecifications(query)]
    .filter(([, tags]) => tags.length > 0)
    .map(([type, tags]) => ({
      action: "ec2:CreateTags",
      on: subjects.created(
        type,
        joinKeys(requestTags(tags), keysOf({ "ec2:CreateAction": action })),
        ids[type],
      ),
    }));
}

function creating(asked: Asked, type: string, id?: string): Need & { readonly on: Subject } {
  return {
    on: asked.subjects.created(type, requestTags(tagSpecifications(asked.query).get(type) ?? []), id),
  };
}

const newKeyPair: Needs = (asked) => {
  const name = textAt(asked.query, "KeyName") ?? "";
  return [creating(asked, "key-pair", name), ...tagging(asked, { "key-pair": name })];
};

const parameters: Needs = ({ query, region }) =>
  [textAt(query, "Name") ?? [], textsAt(query, "Names")].flat().map((name) => ({
    on: parameter(name, region),
  }));

const address: Needs = ({ query, subjects }) =>
  ["AllocationId", "AssociationId", "PublicIp"]
    .flatMap((name) => textAt(query, name) ?? [])
    .slice(0, 1)
    .map((name) => ({ on: subjects.address(name) }));

const placementGroup = (asked: Asked): string => textAt(asked.query, "GroupName") ?? "";

const launchTemplate: Needs = ({ query, subjects }) => [
  {
    on: subjects.launchTemplate(
      textAt(query, "LaunchTemplateId") ?? textAt(query, "LaunchTemplateName") ?? "",
    ),
  },
];

const ec2: Readonly<Record<string, Needs>> = {
  AllocateAddress: (asked) => [creating(asked, "elastic-ip"), ...tagging(asked)],
  AssociateAddress: (asked) => [...address(asked), ...instances(asked)],
  AuthorizeSecurityGroupIngress: (asked) => [
    ...group(asked),
    // The rules are asked about when they are to have tags, and only then.
    ...(tagSpecifications(asked.query).size > 0 ? [creating(asked, "security-group-rule")] : []),
    ...tagging(asked),
  ],
  CancelSpotInstanceRequests: ({ query, subjects }) =>
    textsAt(query, "SpotInstanceRequestId").map((id) => ({ on: subjects.spotRequest(id) })),
  CreateImage: (asked) => [
    creating(asked, "image"),
    creating(asked, "snapshot"),
    ...instances(asked),
    ...tagging(asked),
  ],
  CreateKeyPair: newKeyPair,
  CreateLaunchTemplate: (asked) => [creating(asked, "launch-template"), ...tagging(asked)],
  CreateLaunchTemplateVersion: launchTemplate,
  CreatePlacementGroup: (asked) => {
    const { on } = creating(asked, "placement-group", placementGroup(asked));
    const keys = keysOf({
      "ec2:PlacementGroupName": placementGroup(asked),
      "ec2:PlacementGroupStrategy": textAt(asked.query, "Strategy"),
    });
    return [
      { on: { ...on, keys: joinKeys(on.keys, keys) } },
      ...tagging(asked, { "placement-group": placementGroup(asked) }),
    ];
  },
  CreateSecurityGroup: (asked) => [
    creating(asked, "security-group"),
    { on: asked.subjects.vpc(textAt(asked.query, "VpcId")) },
    ...tagging(asked),
  ],
  CreateTags: ({ query, subjects }) =>
    textsAt(query, "ResourceId").map((id) => {
      const on = subjects.any(id);
      return { on: { ...on, keys: joinKeys(on.keys, requestTags(tagsAt(query))) } };
    }),
  DeleteKeyPair: ({ query, subjects }) => [
    { on: subjects.keyPair(textAt(query, "KeyPairId") ?? textAt(query, "KeyName") ?? "") },
  ],
  DeleteLaunchTemplate: launchTemplate,
  DeleteLaunchTemplateVersions: launchTemplate,
  DeletePlacementGroup: (asked) => [{ on: asked.subjects.placementGroup(placementGroup(asked)) }],
  DeleteSecurityGroup: group,
  DeleteSnapshot: ({ query, subjects }) => [{ on: subjects.snapshot(textAt(query, "SnapshotId") ?? "") }],
  // Of the keys of what loses tags, there are those of its tags only.
  DeleteTags: ({ query, subjects }) =>
    textsAt(query, "ResourceId").map((id) => {
      const on = subjects.any(id);
      const tags = new Map([...on.keys].filter(([key]) => isResourceTag(key)));
      return { on: { ...on, keys: joinKeys(tags, requestTags(tagsAt(query))) } };
    }),
  DeregisterImage: (asked) => [
    ...image(asked),
    ...(textAt(asked.query, "DeleteAssociatedSnapshots") === "true"
      ? asked.subjects
          .snapshotsOf(textAt(asked.query, "ImageId") ?? "")
          .map((on) => ({ action: "ec2:DeleteSnapshot", on }))
      : []),
  ],
  DescribeAddresses: anything,
  DescribeAvailabilityZones: anything,
  DescribeImages: anything,
  DescribeInstanceAttribute: instances,
  DescribeInstanceStatus: anything,
  DescribeInstanceTypeOfferings: anything,
  DescribeInstanceTypes: anything,
  DescribeInstances: anything,
  DescribeKeyPairs: anything,
  DescribeLaunchTemplateVersions: anything,
  DescribeLaunchTemplates: anything,
  DescribePlacementGroups: anything,
  DescribeRegions: anything,
  DescribeSecurityGroups: anything,
  DescribeSnapshots: anything,
  DescribeSpotInstanceRequests: anything,
  DescribeSubnets: anything,
  DescribeTags: anything,
  DescribeVolumes: anything,
  DescribeVpcs: anything,
  DisableImageDeprecation: image,
  DisassociateAddress: address,
  EnableImageDeprecation: image,
  GetConsoleOutput: instances,
  ImportKeyPair: newKeyPair,
  ModifyImageAttribute: image,
  ModifyInstanceAttribute: (asked) => [
    ...instances(asked),
    ...textsAt(asked.query, "GroupId").map((id) => ({ on: asked.subjects.group(id) })),
  ],
  ModifyLaunchTemplate: launchTemplate,
  RebootInstances: instances,
  ReleaseAddress: address,
  RevokeSecurityGroupIngress: group,
  RunInstances: (asked) => [
    ...launchNeeds(asked),
    ...tagging({ ...asked, query: asked.subjects.launch(asked.query).query }),
  ],
  StartInstances: instances,
  StopInstances: instances,
  TerminateInstances: instances,
};

const tables: Readonly<Record<string, Readonly<Record<string, Needs>>>> = {
  ec2,
  s3: s3Needs,
  ssm: {
    DeleteParameter: parameters,
    DeleteParameters: parameters,
    DescribeParameters: anything,
    GetParameter: parameters,
    GetParameters: parameters,
    GetParametersByPath: ({ query, region }) => [{ on: parameter(textAt(query, "Path") ?? "", region) }],
    PutParameter: parameters,
  },
  // "No permissions are required to perform this operation", and no Deny stops it. (STS API Reference)
  sts: { GetCallerIdentity: () => [] },
};

/** Whether authorisation knows an action. */
export function isKnownAction(service: string, action: string): boolean {
  const table = tables[service];
  return table !== undefined && Object.hasOwn(table, action);
}

/**
 * Everything that a call needs to be allowed. For a call that names nothing where something must be named, that is
 * nothing, and the action refuses it.
 * @returns undefined for an action that is not known here
 */
export function questionsOf(asked: Asked, caller: ReadonlyMap<string, string>): Question[] | undefined {
  if (!isKnownAction(asked.service, asked.action)) return undefined;
  const needs = tables[asked.service]?.[asked.action]?.(asked) ?? [];
  const always = keysOf({ "aws:RequestedRegion": asked.region, ...Object.fromEntries(caller) });
  return needs.map(({ action = `${asked.service}:${asked.action}`, on }) => ({
    action,
    resource: on?.arn ?? "*",
    keys: joinKeys(
      always,
      action.startsWith("ec2:") ? keysOf({ "ec2:Region": asked.region }) : new Map(),
      on?.keys ?? new Map(),
    ),
    ...(on?.missing === true ? { missing: true } : {}),
  }));
}
