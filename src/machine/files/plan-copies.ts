import { BakeError } from "../../base/errors.ts";
import { lastName, parentOf, within, type Entry, type Side } from "./side.ts";

/** A path on this computer or on a machine. */
export interface Place {
  readonly side: Side;
  readonly path: string;
}

export interface PlannedCopy {
  readonly source: Place;
  readonly entry: Entry;
  /** Its whole path on the destination's side. */
  readonly target: string;
}

/**
 * What goes where, by the rules of `cp`: into the destination when that is a directory, else under its name; a source that
 * ends in `/.` is the contents of a directory. Nothing is changed.
 * @throws BakeError `usage` with all that does not fit
 */
export async function planCopies(
  sources: readonly Place[],
  destination: Place,
): Promise<readonly PlannedCopy[]> {
  const found = await lookAtSources(sources);
  const { side, path } = destination;
  const there = await side.look(path, true);
  if (there?.kind === "directory") {
    const copies = found.map(({ source, entry }) => {
      const name = lastName(source.path);
      return { source, entry, target: name === "" ? path : within(path, name) };
    });
    checkNames(copies, side);
    await Promise.all(copies.map(refuseSelf(side)));
    return copies;
  }
  const [only, other] = found;
  if (only === undefined) throw new BakeError("usage", "nothing is named that could be copied");
  if (other !== undefined) {
    throw new BakeError(
      "usage",
      `${side.describe(path)} is no directory, so several cannot be copied there`,
      {
        hint: there === undefined ? "make it first" : "choose another place",
      },
    );
  }
  await checkSingle(only, destination, there);
  // Written to where the link leads, as cp does, and not in its place.
  const target = there === undefined ? path : await side.resolve(path);
  const copy = { ...only, target };
  await refuseSelf(side)(copy);
  return [copy];
}

async function lookAtSources(sources: readonly Place[]): Promise<{ source: Place; entry: Entry }[]> {
  const found: { source: Place; entry: Entry }[] = [];
  const problems: string[] = [];
  for (const source of sources) {
    const entry = await source.side.look(source.path, true);
    const name = source.side.describe(source.path);
    if (entry === undefined) problems.push(`there is no ${name}`);
    else if (entry.kind === "other") problems.push(`${name} is neither a file nor a directory`);
    else found.push({ source, entry });
  }
  const [first, ...rest] = problems;
  if (first === undefined) return found;
  throw new BakeError("usage", first, { details: rest });
}

async function checkSingle(
  { source, entry }: { readonly source: Place; readonly entry: Entry },
  { side, path }: Place,
  there: Entry | undefined,
): Promise<void> {
  const name = side.describe(path);
  if (there !== undefined && entry.kind === "directory") {
    throw new BakeError("usage", `${name} is no directory, and ${source.side.describe(source.path)} is one`);
  }
  if (there !== undefined && there.kind === "other") {
    throw new BakeError("usage", `${name} is neither a file nor a directory`);
  }
  if (there !== undefined) return;
  if (path.endsWith("/") && entry.kind !== "directory") {
    throw new BakeError("usage", `there is no directory ${name}`, { hint: "make it first" });
  }
  const parent = parentOf(path);
  if ((await side.look(parent, true))?.kind !== "directory") {
    throw new BakeError("usage", `there is no directory ${side.describe(parent)}`, { hint: "make it first" });
  }
}

function checkNames(copies: readonly PlannedCopy[], side: Side): void {
  const seen = new Set<string>();
  for (const { target, entry } of copies) {
    // The contents of several directories may go into one.
    if (seen.has(target) && entry.kind !== "directory") {
      throw new BakeError("usage", `two sources would both become ${side.describe(target)}`);
    }
    seen.add(target);
  }
}

/** A directory in itself would have no end, and a file in its own place is a slip. */
function refuseSelf(side: Side): (copy: PlannedCopy) => Promise<void> {
  return async ({ source, entry, target }) => {
    if (source.side !== side) return;
    const from = await side.resolve(source.path);
    const to = within(await side.resolve(parentOf(target)), lastName(target));
    if (to === from || (entry.kind === "directory" && to.startsWith(within(from, "")))) {
      const name = source.side.describe(source.path);
      throw new BakeError("usage", `${name} cannot be copied ${to === from ? "onto" : "into"} itself`);
    }
  };
}
