import { byText } from "./names.ts";

/**
 * The independent cycles of a graph: a set of shortest ones in which each edge that is part of any cycle occurs.
 * Each is given once, as a closed walk from its first name in order: [a, b, a].
 * @param edges node -> nodes it leads to; nodes that are no key of it are ignored
 */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cyclic = withoutLooseEnds(edges);
  const covered = new Set<string>();
  const cycles: string[][] = [];
  for (const from of [...cyclic.keys()].sort(byText)) {
    for (const to of cyclic.get(from) ?? []) {
      if (covered.has(`${from} ${to}`)) continue;
      const back = shortestWay(cyclic, to, from);
      if (back === undefined) continue;
      const ring = fromFirst(back);
      for (const [index, node] of ring.entries())
        covered.add(`${node} ${ring[(index + 1) % ring.length] ?? ""}`);
      cycles.push([...ring, ...ring.slice(0, 1)]);
    }
  }
  return cycles;
}

/** The graph without the nodes that lead only to dead ends; empty when nothing is cyclic. */
function withoutLooseEnds(edges: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const rest = new Map(
    [...edges].map(([node, targets]) => [node, targets.filter((name) => edges.has(name)).sort(byText)]),
  );
  const sources = new Map<string, string[]>();
  const open = new Map<string, number>();
  for (const [node, targets] of rest) {
    open.set(node, targets.length);
    for (const target of targets) {
      const list = sources.get(target);
      if (list === undefined) sources.set(target, [node]);
      else list.push(node);
    }
  }
  const ends = [...open].filter(([, count]) => count === 0).map(([node]) => node);
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    rest.delete(end);
    for (const source of sources.get(end) ?? []) {
      const left = (open.get(source) ?? 0) - 1;
      open.set(source, left);
      if (left === 0) ends.push(source);
    }
  }
  return rest;
}

/** The nodes from `start` to `goal`, both included, by breadth-first search. */
function shortestWay(
  edges: ReadonlyMap<string, readonly string[]>,
  start: string,
  goal: string,
): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
  const queue = [start];
  for (const node of queue) {
    if (node === goal) {
      const way: string[] = [];
      for (let step: string | undefined = node; step !== undefined; step = cameFrom.get(step))
        way.unshift(step);
      return way;
    }
    for (const next of edges.get(node) ?? []) {
      if (!cameFrom.has(next)) {
        cameFrom.set(next, node);
        queue.push(next);
      }
    }
  }
  return undefined;
}

function fromFirst(ring: readonly string[]): string[] {
  const first = [...ring].sort(byText)[0] ?? "";
  const index = ring.indexOf(first);
  return [...ring.slice(index), ...ring.slice(0, index)];
}
