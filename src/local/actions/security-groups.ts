import { z } from "zod";
import { maxPorts, openPorts } from "../open-ports.ts";
import { ApiError, byId, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import { newId } from "../state/ids.ts";
import { accountId, vpcId, type Rule, type SecurityGroup, type State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { groupNamed } from "./network.ts";
import { isSame, permissionXml, ruleParameters, ruleRequest, rulesIn } from "./security-rules.ts";
import { carryOut, movePorts } from "./port-moves.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";

function groupOf(
  draft: State,
  request: { GroupId?: string | undefined; GroupName?: string | undefined },
): SecurityGroup {
  if (request.GroupId !== undefined)
    return byId("group", request.GroupId, draft.securityGroups, ({ id }) => id);
  if (request.GroupName !== undefined) return groupNamed(draft, request.GroupName);
  throw new ApiError("MissingParameter", "The request must contain the parameter GroupName or GroupId");
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
    const members = draft.instances.filter(({ groupIds }) => groupIds.includes(group.id));
    const moves = await movePorts(context, draft, members);
    return { group: structuredClone(group), rules: structuredClone(rules), moves };
  });
  await carryOut(context, result.moves);
  return result;
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
      if (request.GroupName === "default") {
        throw new ApiError("InvalidGroup.Reserved", "The security group name 'default' is reserved");
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
          createdAt: context.now(),
          tags,
        };
        draft.securityGroups.push(fresh);
        return fresh;
      });
      return {
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
