import { isIP } from "node:net";
import { z } from "zod";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import { integer, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { accountId, type Rule } from "../state/schema.ts";

/** The parameter table of requests that name rules of a group. */
export const ruleParameters = {
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

export const ruleRequest = z.strictObject(ruleParameters);
type RuleRequest = z.output<typeof ruleRequest>;
type Permission = RuleRequest["IpPermissions"][number];

/** The rules that a request names, one per source. @throws ApiError for what EC2 or the local cloud does not take */
export function rulesIn(request: RuleRequest): Omit<Rule, "id">[] {
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

/** Whether two rules open the same for the same. */
export const isSame = (a: Omit<Rule, "id">, b: Omit<Rule, "id">): boolean =>
  a.protocol === b.protocol && a.fromPort === b.fromPort && a.toPort === b.toPort && a.source === b.source;

/** A rule as EC2 shows it in a description of its group. */
export function permissionXml(rule: Rule): XmlObject {
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
