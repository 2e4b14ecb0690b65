import type { Cloud } from "../aws/cloud.ts";
import type { Architecture } from "../aws/instance-types.ts";
import { describeTypes, offeredTypes, type TypeInfo } from "../aws/type-list.ts";
import { BakeError } from "../base/errors.ts";

/** What an instance type must have at least. */
export interface TypeNeeds {
  readonly cpus: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly architecture: Architecture | undefined;
  readonly gpu: boolean;
  /** It must be sold as spot capacity. */
  readonly spot: boolean;
  /** It must be offered in all of these availability zones; empty for anywhere in the Region. */
  readonly zones: readonly string[];
}

/**
 * The instance types of the current generation that fit, smallest first.
 * @throws BakeError `usage` when none does.
 */
export async function findTypes(cloud: Cloud, needs: TypeNeeds, signal: AbortSignal): Promise<TypeInfo[]> {
  const { architecture } = needs;
  const filters = [
    { Name: "current-generation", Values: ["true"] },
    ...(architecture === undefined
      ? []
      : [{ Name: "processor-info.supported-architecture", Values: [architecture] }]),
    ...(needs.spot ? [{ Name: "supported-usage-class", Values: ["spot"] }] : []),
  ];
  const [types, offered] = await Promise.all([
    describeTypes(cloud, filters, signal),
    offeredTypes(cloud, needs.zones, signal),
  ]);
  const fitting = fittingTypes(
    types.filter(({ name }) => offered.has(name)),
    needs,
  );
  if (fitting.length > 0) return fitting;
  const where = needs.zones.length === 0 ? "in this Region" : `in ${needs.zones.join(" and ")}`;
  throw new BakeError("usage", `no instance type of the current generation ${where} has ${inWords(needs)}`, {
    hint: "ask for less of it, for another --arch, or in another subnet or Region",
  });
}

/** Those that have what is needed, smallest first: fewest processors, then least memory, then by name. Pure. */
export function fittingTypes(types: readonly TypeInfo[], needs: TypeNeeds): TypeInfo[] {
  return types
    .filter(
      (type) =>
        type.cpus >= (needs.cpus ?? 0) &&
        type.memoryMiB >= (needs.memoryMiB ?? 0) &&
        (needs.architecture === undefined || type.architecture === needs.architecture) &&
        // Who does not ask for a GPU does not want to pay for one.
        (needs.gpu ? type.gpus > 0 : type.gpus === 0),
    )
    .sort(
      (a, b) =>
        a.cpus - b.cpus ||
        a.memoryMiB - b.memoryMiB ||
        Number(a.bareMetal) - Number(b.bareMetal) ||
        a.name.localeCompare(b.name),
    );
}

function inWords({ cpus, memoryMiB, architecture, gpu, spot }: TypeNeeds): string {
  const parts = [
    ...(cpus === undefined ? [] : [`${cpus} vCPUs`]),
    ...(memoryMiB === undefined ? [] : [memoryText(memoryMiB)]),
    ...(architecture === undefined ? [] : [architecture]),
    ...(gpu ? ["a GPU"] : []),
    ...(spot ? ["spot capacity"] : []),
  ];
  return parts.join(", ");
}

/** Memory as EC2's own pages show it. */
export function memoryText(memoryMiB: number): string {
  return `${Number((memoryMiB / 1024).toFixed(2))} GiB`;
}

/** A table of types, with its heading as the first line. */
export function typeTable(types: readonly TypeInfo[]): string[] {
  const withGpu = types.some(({ gpus }) => gpus > 0);
  const rows = [
    ["type", "vCPU", "memory", "network", "arch", ...(withGpu ? ["GPU"] : [])],
    ...types.map((type) => [
      type.name,
      String(type.cpus),
      memoryText(type.memoryMiB),
      type.network,
      type.architecture,
      ...(withGpu ? [`${type.gpus} x ${type.gpu ?? "-"}`] : []),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const alignedRight = new Set([1, 2]);
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return alignedRight.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
