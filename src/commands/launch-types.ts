import type { Cloud } from "../aws/cloud.ts";
import type { Architecture } from "../aws/instance-types.ts";
import { describeSubnets } from "../aws/network.ts";
import type { TypeInfo } from "../aws/type-list.ts";
import { BakeError } from "../base/errors.ts";
import { findTypes, memoryText, typeTable } from "../launch/types.ts";
import { ask, canAsk } from "./ask.ts";
import type { Context } from "./context.ts";
import type { LaunchSettings, TypeWish } from "./launch-settings.ts";
import { ErrorWithResult, type Session } from "./session.ts";

/** How many types are shown at once. */
const pageSize = 15;

/**
 * An instance type that fits: the smallest one with `--cheapest`, or the one that the user picks from a list.
 * @throws ErrorWithResult `usage` with the list, where nobody is there to pick; BakeError `usage` when none fits
 */
export async function chooseType(
  cloud: Cloud,
  wish: Extract<TypeWish, { kind: "fitting" }>,
  settings: Pick<LaunchSettings, "instance">,
  architecture: Architecture,
  context: Context,
  { listener, signal }: Session,
): Promise<string> {
  const zones = await zonesOf(cloud, settings.instance.subnets ?? [], signal);
  const spot = settings.instance.spot !== undefined;
  const types = await findTypes(cloud, { ...wish, architecture, spot, zones }, signal);
  const [smallest] = types;
  if (smallest === undefined) throw new BakeError("usage", "no instance type fits");
  if (wish.cheapest) {
    const { name, cpus, memoryMiB } = smallest;
    const message = `type ${name}: ${cpus} vCPUs, ${memoryText(memoryMiB)}`;
    listener({ type: "note", at: Date.now(), message });
    return name;
  }
  if (canAsk(context)) {
    const question = (message: string): Promise<string> => ask(message, context, listener, signal);
    return await pickType(types, question);
  }
  throw new ErrorWithResult(
    new BakeError("usage", "choose one of these instance types", {
      hint: `--type ${smallest.name} takes it; --cheapest takes the first of the list`,
    }),
    { text: typeTable(types).join("\n"), value: types },
  );
}

async function zonesOf(cloud: Cloud, subnets: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (subnets.length === 0) return [];
  const found = await describeSubnets(cloud, [{ Name: "subnet-id", Values: [...subnets] }], signal);
  return [...new Set(found.map(({ zone }) => zone))];
}

/**
 * Shows the types a page at a time until one is picked by its number or its name.
 * @throws BakeError `usage` when the user wants none
 */
export async function pickType(
  types: readonly TypeInfo[],
  question: (message: string) => Promise<string>,
): Promise<string> {
  const [heading = "", ...rows] = typeTable(types);
  const width = String(types.length).length;
  const numbered = rows.map((row, index) => `${String(index + 1).padStart(width)}  ${row}`);
  let trouble = "";
  for (let from = 0; ;) {
    const page = numbered.slice(from, from + pageSize);
    const isLast = from + pageSize >= numbered.length;
    const more = isLast ? "" : `, Enter for ${Math.min(pageSize, numbered.length - from - pageSize)} more`;
    const lines = [
      `${" ".repeat(width)}  ${heading}`,
      ...page,
      `${trouble}number or name${more}, q for none: `,
    ];
    const answer = (await question(lines.join("\n"))).trim();
    trouble = "";
    if (answer === "q") {
      throw new BakeError("usage", "no instance type was chosen", { hint: "name one with --type" });
    }
    const picked = types.find(({ name }, index) => name === answer || String(index + 1) === answer);
    if (picked !== undefined) return picked.name;
    if (answer === "" && !isLast) from += pageSize;
    else if (answer !== "") trouble = `${answer} is not in the list; `;
  }
}
