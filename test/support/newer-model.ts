import * as autoScaling from "@aws-sdk/client-auto-scaling";
import * as ec2 from "@aws-sdk/client-ec2";
import * as sns from "@aws-sdk/client-sns";
import * as ssm from "@aws-sdk/client-ssm";

/*
 * Debian's model is older than the API. What it does not know may still be AWS's: the SDK of this project is made from
 * the current model, and carries the members of each structure and the values of each enumeration.
 */

const everything = new Map<string, unknown>([
  ...Object.entries(sns),
  ...Object.entries(autoScaling),
  ...Object.entries(ssm),
  ...Object.entries(ec2),
]);

/** The members that a structure has in the SDK, by the names that they have on the wire. */
export function newerMembers(structure: string, direction: "input" | "output"): readonly string[] {
  const schema: unknown = everything.get(`${structure}$`);
  if (!Array.isArray(schema)) return [];
  const items: readonly unknown[] = schema;
  const names = Array.isArray(items[4]) ? items[4].filter((each) => typeof each === "string") : [];
  const members: readonly unknown[] = Array.isArray(items[5]) ? items[5] : [];
  return names.map((name, index) => {
    const traits = traitsOf(members[index]);
    if (direction === "output") return traits.xmlName ?? name;
    return traits.ec2QueryName ?? capitalised(traits.xmlName ?? name);
  });
}

interface Traits {
  readonly xmlName: string | undefined;
  readonly ec2QueryName: string | undefined;
}

/** A member is its schema, or a pair of schema and traits. */
function traitsOf(member: unknown): Traits {
  const traits: unknown = Array.isArray(member) ? member[1] : undefined;
  return { xmlName: textIn(traits, "xmlName"), ec2QueryName: textIn(traits, "ec2QueryName") };
}

function textIn(traits: unknown, name: string): string | undefined {
  if (typeof traits !== "object" || traits === null) return undefined;
  const value: unknown = Reflect.get(traits, name);
  return typeof value === "string" ? value : undefined;
}

/** The values that an enumeration has in the SDK. */
export function newerValues(enumeration: string): readonly string[] {
  const values = everything.get(enumeration) ?? everything.get(`_${enumeration}`);
  if (typeof values !== "object" || values === null) return [];
  return Object.values(values).filter((value) => typeof value === "string");
}

/** As EC2 writes names in requests. */
export function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
