import { isIP } from "node:net";
import { z } from "zod";
import { maxPorts, openPorts } from "../open-ports.ts";
import { ApiError, byId, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { integer, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { newId } from "../state/ids.ts";
import {
  accountId,
  vpcId,
  type Forward,
  type Instance,
  type Rule,
  type SecurityGroup,
  type State,
} from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { groupNamed } from "./network.ts";
import { retagPorts } from "./port-tags.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";

const ruleParameters = {
  GroupId: text.optional(),
  GroupName: text.optional(),
  IpPermissions: list(
    z.strictObject({
      IpProtocol: text,
      FromPort: integer.optional(),
      ToPort: integer.optional(),
      IpRanges: list(z.strictObject({ CidrIp: text, Description: text.optional() })),
      Ipv6Ranges: list(z.strictObject({ CidrIpv6: text, Description: text.optional() })),
      Groups: list(z.strictObject({ GroupId: text, UserId: text.optional(), Description: text.optional() })),
    }),
  ),
  IpProtocol: text.optional(),
  FromPort: integer.optional(),
  ToPort: integer.optional(),
  CidrIp: text.optional(),
};

const ruleRequest = z.strictObject(ruleParameters);
type RuleRequest = z.output<typeof ruleRequest>;
type Permission = RuleRequest["IpPermissions"][number];

function groupOf(
  draft: State,
  request: { GroupId?: string | undefined; GroupName?: string | undefined },
): SecurityGroup {
  if (request.GroupId !== undefined)
    return byId("group", request.GroupId, draft.securityGroups, ({ id }) => id);
  if (request.GroupName !== undefined) return groupNamed(draft, request.GroupName);
  throw new ApiError("MissingParameter", "The request must contain the parameter GroupName or GroupId");
}

/** The rules that a request names, one per source. */
function rulesIn(request: RuleRequest): Omit<Rule, "id">[] {
  const permissions = [...request.IpPermissions];
  if (request.IpProtocol !== undefined) {
    permissions.push({
      IpProtocol: request.IpProtocol,
      FromPort: request.FromPort,
      ToPort: request.ToPort,
      IpRanges: request.CidrIp === undefined ? [] : [{ CidrIp: request.CidrIp }],
      Ipv6Ranges: [],
      Groups: [],
    });
  }
  const rules = permissions.flatMap(rulesOf);
  if (rules.length === 0)
    throw new ApiError("MissingParameter", "The request must contain the parameter ipPermissions");
  return rules;
}

function rulesOf(permission: Permission): Omit<Rule, "id">[] {
  const ports = portsOf(permission);
  const sources = [
    ...permission.IpRanges.map((each) => ({
      source: checkedBlock(each.CidrIp, 4),
      description: each.Description,
    })),
    ...permission.Ipv6Ranges.map((each) => ({
      source: checkedBlock(each.CidrIpv6, 6),
      description: each.Description,
    })),
    ...permission.Groups.map((each) => ({ source: each.GroupId, description: each.Description })),
  ];
  return sources.map(({ source, description }) => ({
    ...ports,
    source,
    ...(description === undefined ? {} : { description }),
  }));
}

function portsOf({
  IpProtocol,
  FromPort,
  ToPort,
}: Permission): Pick<Rule, "protocol" | "fromPort" | "toPort"> {
  if (IpProtocol === "-1") return { protocol: "-1", fromPort: -1, toPort: -1 };
  if (IpProtocol !== "tcp" && IpProtocol !== "6") {
    throw invalidValue("IpProtocol", IpProtocol, "The local cloud forwards TCP only.");
  }
  if (FromPort === undefined || ToPort === undefined || FromPort < 0 || ToPort > 65535 || FromPort > ToPort) {
    throw new ApiError(
      "InvalidParameterValue",
      "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
    );
  }
  return { protocol: "tcp", fromPort: FromPort, toPort: ToPort };
}

function checkedBlock(block: string, version: 4 | 6): string {
  const [address = "", length = ""] = block.split("/");
  if (isIP(address) !== version || !/^\d{1,3}$/.test(length) || Number(length) > (version === 4 ? 32 : 128)) {
    throw new ApiError("InvalidParameterValue", `CIDR block ${block} is malformed`);
  }
  return block;
}

const isSame = (a: Omit<Rule, "id">, b: Omit<Rule, "id">): boolean =>
  a.protocol === b.protocol && a.fromPort === b.fromPort && a.toPort === b.toPort && a.source === b.source;

interface Move {
  readonly instance: Instance;
  readonly from: readonly Forward[];
}

/** Changes a group's rules, then what the running machines of the group answer at. */
async function changeRules(
  context: Context,
  request: { GroupId?: string | undefined; GroupName?: string | undefined },
  apply: (group: SecurityGroup, draft: State) => Rule[],
): Promise<{ group: SecurityGroup; rules: Rule[] }> {
  const result = await context.change(async (draft) => {
    const group = groupOf(draft, request);
    const rules = apply(group, draft);
    openPorts(draft, [group.id]);
    const moves: Move[] = [];
    for (const instance of draft.instances) {
      if (!instance.groupIds.includes(group.id) || instance.state === "terminated") continue;
      const from = instance.forwards;
      await context.machines.place(draft, instance, openPorts(draft, instance.groupIds));
      retagPorts(instance, from);
      if (instance.state === "running") moves.push({ instance: structuredClone(instance), from });
    }
    return { group: structuredClone(group), rules: structuredClone(rules), moves };
  });
  for (const { instance, from } of result.moves) {
    await context.machines.engineOf(instance).setForwards(instance, from, instance.forwards);
  }
  return result;
}

function permissionXml(rule: Rule): XmlObject {
  const description = rule.description === undefined ? {} : { description: rule.description };
  const isGroup = rule.source.startsWith("sg-");
  const isV6 = rule.source.includes(":");
  return {
    ipProtocol: rule.protocol,
    ...(rule.protocol === "-1" ? {} : { fromPort: rule.fromPort, toPort: rule.toPort }),
    groups: isGroup ? [{ groupId: rule.source, userId: accountId, ...description }] : [],
    ipRanges: isGroup || isV6 ? [] : [{ cidrIp: rule.source, ...description }],
    ipv6Ranges: isV6 ? [{ cidrIpv6: rule.source, ...description }] : [],
    prefixListIds: [],
  };
}

export const securityGroupActions = [
  action(
    "CreateSecurityGroup",
    z.strictObject({
      GroupName: text,
      GroupDescription: text,
      VpcId: text.default(vpcId),
      ...tagSpecificationParameters,
    }),
    async (context, request) => {
      byId("vpc", request.VpcId, [vpcId], (id) => id);
      for (const [name, value] of [
        ["GroupName", request.GroupName],
        ["GroupDescription", request.GroupDescription],
      ] as const) {
        if (!/^[\w .:/()#,@[\]+=&;{}!$*-]{1,255}$/.test(value)) {
          throw invalidValue(name, value, "Character sets beyond ASCII are not supported.");
        }
      }
      if (request.GroupName.startsWith("sg-")) {
        throw new ApiError("InvalidParameterValue", "Group names may not be in the format sg-*");
      }
      const tags = tagsFor(request.TagSpecification, ["security-group"])("security-group");
      const group = await context.change((draft) => {
        if (draft.securityGroups.some(({ name }) => name === request.GroupName)) {
          throw new ApiError(
            "InvalidGroup.Duplicate",
            `The security group '${request.GroupName}' already exists for VPC '${vpcId}'`,
          );
        }
        const fresh = {
          id: newId("sg"),
          name: request.GroupName,
          description: request.GroupDescription,
          vpcId,
          rules: [],
          tags,
        };
        draft.securityGroups.push(fresh);
        return fresh;
      });
      return {
        return: true,
        groupId: group.id,
        securityGroupArn: arnOf(context, group.id),
        tagSet: tagSet(tags),
      };
    },
  ),

  action(
    "DescribeSecurityGroups",
    z.strictObject({ GroupId: list(text), GroupName: list(text), ...filterParameters, ...pageParameters }),
    async (context, request) => {
      const state = await context.read();
      const asked = [
        ...byIds("group", request.GroupId, state.securityGroups, ({ id }) => id),
        ...request.GroupName.map((name) => groupNamed(state, name)),
      ];
      const matching = filtered(
        asked.length > 0 ? asked : state.securityGroups,
        request.Filter,
        {
          description: (it) => [it.description],
          "group-id": (it) => [it.id],
          "group-name": (it) => [it.name],
          "owner-id": () => [accountId],
          "vpc-id": (it) => [it.vpcId],
          "ip-permission.cidr": (it) => it.rules.map(({ source }) => source),
          "ip-permission.from-port": (it) => it.rules.map(({ fromPort }) => String(fromPort)),
          "ip-permission.to-port": (it) => it.rules.map(({ toPort }) => String(toPort)),
          "ip-permission.protocol": (it) => it.rules.map(({ protocol }) => protocol),
        },
        ({ tags }) => tags,
      );
      const { items, nextToken } = page(matching, request);
      return {
        securityGroupInfo: items.map((group) => ({
          ownerId: accountId,
          groupId: group.id,
          groupName: group.name,
          groupDescription: group.description,
          vpcId: group.vpcId,
          ipPermissions: group.rules.map(permissionXml),
          ipPermissionsEgress: [
            {
              ipProtocol: "-1",
              groups: [],
              ipRanges: [{ cidrIp: "0.0.0.0/0" }],
              ipv6Ranges: [],
              prefixListIds: [],
            },
          ],
          tagSet: tagSet(group.tags),
          securityGroupArn: arnOf(context, group.id),
        })),
        nextToken,
      };
    },
  ),

  action("AuthorizeSecurityGroupIngress", ruleRequest, async (context, request) => {
    const wanted = rulesIn(request);
    const { group, rules } = await changeRules(context, request, (it, draft) => {
      for (const rule of wanted) {
        if (rule.source.startsWith("sg-")) byId("group", rule.source, draft.securityGroups, ({ id }) => id);
        if (it.rules.some((existing) => isSame(existing, rule))) {
          throw new ApiError(
            "InvalidPermission.Duplicate",
            `the specified rule "peer: ${rule.source}, ${rule.protocol}, from port: ${rule.fromPort}, to port: ${rule.toPort}, ALLOW" already exists`,
          );
        }
      }
      const added = wanted.map((rule) => ({ ...rule, id: newId("sgr") }));
      it.rules.push(...added);
      if (it.rules.length > maxPorts) {
        throw new ApiError(
          "RulesPerSecurityGroupLimitExceeded",
          `A security group has at most ${maxPorts} rules`,
        );
      }
      return added;
    });
    return {
      return: true,
      securityGroupRuleSet: rules.map((rule) => ({
        securityGroupRuleId: rule.id,
        groupId: group.id,
        groupOwnerId: accountId,
        isEgress: false,
        ipProtocol: rule.protocol,
        fromPort: rule.fromPort,
        toPort: rule.toPort,
        ...(rule.source.startsWith("sg-")
          ? { referencedGroupInfo: { groupId: rule.source, userId: accountId } }
          : { [rule.source.includes(":") ? "cidrIpv6" : "cidrIpv4"]: rule.source }),
        description: rule.description,
      })),
    };
  }),

  action(
    "RevokeSecurityGroupIngress",
    z.strictObject({ ...ruleParameters, SecurityGroupRuleId: list(text) }),
    async (context, { SecurityGroupRuleId, ...request }) => {
      await changeRules(context, request, (group) => {
        const named = SecurityGroupRuleId.length > 0 ? [] : rulesIn(request);
        const goes = (rule: Rule): boolean =>
          SecurityGroupRuleId.includes(rule.id) || named.some((each) => isSame(each, rule));
        const removed = group.rules.filter(goes);
        if (removed.length < Math.max(named.length, SecurityGroupRuleId.length)) {
          throw new ApiError(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
          );
        }
        group.rules = group.rules.filter((rule) => !goes(rule));
        return removed;
      });
      return { return: true };
    },
  ),

  action(
    "DeleteSecurityGroup",
    z.strictObject({ GroupId: text.optional(), GroupName: text.optional() }),
    async (context, request) => {
      const groupId = await context.change((draft) => {
        const group = groupOf(draft, request);
        if (group.name === "default") {
          throw new ApiError(
            "CannotDelete",
            `the specified group: "${group.id}" name: "default" cannot be deleted by a user`,
          );
        }
        const isUsed =
          draft.instances.some(
            ({ state, groupIds }) => state !== "terminated" && groupIds.includes(group.id),
          ) ||
          draft.securityGroups.some(
            (it) => it !== group && it.rules.some(({ source }) => source === group.id),
          );
        if (isUsed) {
          throw new ApiError("DependencyViolation", `resource ${group.id} has a dependent object`);
        }
        draft.securityGroups = draft.securityGroups.filter((it) => it !== group);
        return group.id;
      });
      return { return: true, groupId };
    },
  ),
];

function arnOf(context: Context, groupId: string): string {
  return `arn:aws:ec2:${context.region}:${accountId}:security-group/${groupId}`;
}
