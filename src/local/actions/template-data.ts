import { z } from "zod";
import { parseParameters, type QueryNode } from "../protocol/query.ts";
import { NamedList, type XmlObject, type XmlValue } from "../protocol/xml.ts";
import { checkedUserData } from "./launch-checks.ts";
import { launchParameters } from "./run-parameters.ts";
import { tagsFor, tagSet } from "./tags.ts";

/** What the data of a launch template may hold: the parameters of a launch, but for those of one call alone. */
export const templateData = z.strictObject(launchParameters);

type Data = z.output<typeof templateData>;
export type LaunchQuery = Readonly<Record<string, QueryNode>>;

/** Types of what a launch creates that can have tags. */
export const launchedTypes = ["instance", "volume", "spot-instances-request"] as const;

/**
 * Checks the data of a template as far as EC2 does when it is made: whether what it names exists is seen at a launch.
 * @throws ApiError
 */
export function checkTemplateData(data: LaunchQuery): void {
  const { UserData, TagSpecification } = parseParameters(templateData, data);
  checkedUserData(UserData);
  tagsFor(TagSpecification, launchedTypes);
}

/** Two names of one thing: who gives the one has not asked for the other. */
const sameThing: Readonly<Record<string, string>> = {
  SecurityGroup: "SecurityGroupId",
  SecurityGroupId: "SecurityGroup",
};

/**
 * The parameters of a launch from a template. What the request has comes in place of what the template has under the same
 * name; block devices are told apart by their device, network interfaces by their index, and tags by type and key. Pure.
 */
export function overridden(template: LaunchQuery, request: LaunchQuery): LaunchQuery {
  const left = Object.entries(template).filter(([name]) => {
    const other = sameThing[name];
    return other === undefined || !(other in request);
  });
  return {
    ...Object.fromEntries(left),
    ...request,
    ...joined("BlockDeviceMapping", template, request, (a, b) => byKey(a, b, "DeviceName")),
    ...joined("NetworkInterface", template, request, (a, b) => byKey(a, b, "DeviceIndex")),
    ...joined("TagSpecification", template, request, joinTags),
  };
}

type Join = (template: readonly QueryNode[], request: readonly QueryNode[]) => readonly QueryNode[];

function joined(name: string, template: LaunchQuery, request: LaunchQuery, join: Join): LaunchQuery {
  const [a, b] = [template[name], request[name]];
  if (a === undefined || b === undefined) return {};
  return { [name]: numbered(join(entries(a), entries(b))) };
}

function entries(node: QueryNode | undefined): readonly QueryNode[] {
  return node === undefined || typeof node === "string" ? [] : Object.values(node);
}

function numbered(items: readonly QueryNode[]): QueryNode {
  return Object.fromEntries(items.map((item, index) => [String(index + 1), item]));
}

function keyOf(node: QueryNode, name: string): QueryNode | undefined {
  return typeof node === "string" ? undefined : node[name];
}

function byKey(template: readonly QueryNode[], request: readonly QueryNode[], key: string): QueryNode[] {
  const replaced = new Set(request.map((node) => keyOf(node, key)));
  return [...template.filter((node) => !replaced.has(keyOf(node, key))), ...request];
}

function joinTags(template: readonly QueryNode[], request: readonly QueryNode[]): QueryNode[] {
  const types = new Set([...template, ...request].map((node) => keyOf(node, "ResourceType") ?? ""));
  return [...types].map((type) => {
    const tagsIn = (all: readonly QueryNode[]): QueryNode[] =>
      all
        .filter((node) => (keyOf(node, "ResourceType") ?? "") === type)
        .flatMap((node) => [...entries(keyOf(node, "Tag"))]);
    return { ResourceType: type, Tag: numbered(byKey(tagsIn(template), tagsIn(request), "Key")) };
  });
}

/** The data of a template as DescribeLaunchTemplateVersions shows it. */
export function templateDataXml(stored: LaunchQuery, imageIdOf: (asked: string) => string): XmlObject {
  const data = parseParameters(templateData, stored);
  const { ImageId, UserData, InstanceMarketOptions: market } = data;
  return {
    ebsOptimized: data.EbsOptimized,
    iamInstanceProfile: lower(data.IamInstanceProfile),
    blockDeviceMappingSet: some(data.BlockDeviceMapping, ({ DeviceName, Ebs }) => ({
      deviceName: DeviceName,
      ebs: lower(Ebs),
    })),
    networkInterfaceSet: some(data.NetworkInterface, ({ SecurityGroupId, ...rest }) => ({
      ...lower(rest),
      groupSet: SecurityGroupId.length === 0 ? undefined : new NamedList("groupId", SecurityGroupId),
    })),
    imageId: ImageId === undefined ? undefined : imageIdOf(ImageId),
    instanceType: data.InstanceType,
    keyName: data.KeyName,
    placement: lower(data.Placement),
    disableApiTermination: data.DisableApiTermination,
    instanceInitiatedShutdownBehavior: data.InstanceInitiatedShutdownBehavior,
    userData: UserData,
    tagSpecificationSet: tagsXml(data),
    securityGroupIdSet: some(data.SecurityGroupId, (id) => id),
    securityGroupSet: some(data.SecurityGroup, (name) => name),
    instanceMarketOptions:
      market === undefined
        ? undefined
        : { marketType: market.MarketType, spotOptions: lower(market.SpotOptions) },
    metadataOptions: lower(data.MetadataOptions),
  };
}

function tagsXml({ TagSpecification }: Data): XmlValue {
  return some(TagSpecification, ({ ResourceType, Tag }) => ({
    resourceType: ResourceType,
    tagSet: tagSet(Object.fromEntries(Tag.map(({ Key, Value = "" }) => [Key, Value]))),
  }));
}

function some<T>(items: readonly T[], xml: (item: T) => XmlValue): XmlValue {
  return items.length === 0 ? undefined : items.map(xml);
}

/** Replies have the names of requests with a small letter first. */
function lower(
  values: Readonly<Record<string, string | number | boolean | undefined>> | undefined,
): XmlObject | undefined {
  if (values === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name.charAt(0).toLowerCase() + name.slice(1), value]),
  );
}
