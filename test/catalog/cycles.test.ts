import { expect, test } from "vitest";
import { findCycles } from "../../src/catalog/cycles.ts";
import { randomNumbers, shuffled } from "../support/random.ts";

function graph(edges: Readonly<Record<string, string>>): Map<string, string[]> {
  return new Map(
    Object.entries(edges).map(([from, to]) => [from, to.split(" ").filter((name) => name !== "")]),
  );
}

test.each([
  ["nothing", {}, []],
  ["a chain", { a: "b", b: "c", c: "" }, []],
  ["a diamond", { a: "b c", b: "d", c: "d", d: "" }, []],
  ["an unknown target", { a: "x" }, []],
  ["two", { b: "a", a: "b" }, ["a b a"]],
  ["a loop of one", { a: "a" }, ["a a"]],
  ["a ring, from its first name", { c: "a", a: "b", b: "c" }, ["a b c a"]],
  ["ways into a ring are no part of it", { x: "a", a: "b", b: "a y", y: "" }, ["a b a"]],
  ["a way between two rings", { a: "b", b: "a c", c: "d", d: "c" }, ["a b a", "c d c"]],
  ["rings that share a node", { a: "b c", b: "a", c: "a" }, ["a b a", "a c a"]],
  ["a short cut makes a ring of its own", { a: "b c", b: "c", c: "a" }, ["a b c a", "a c a"]],
])("%s", (_, edges, expected) => {
  expect(findCycles(graph(edges)).map((cycle) => cycle.join(" "))).toEqual(expected);
});

test("the order of the graph does not matter", () => {
  const random = randomNumbers(3);
  for (let round = 0; round < 50; round++) {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const edges = names.map((name): [string, string[]] => [name, names.filter(() => random(8) === 0)]);
    const expected = findCycles(new Map(edges));
    const other = shuffled(edges, random).map(([name, to]): [string, string[]] => [
      name,
      shuffled(to, random),
    ]);
    expect(findCycles(new Map(other))).toEqual(expected);
    expect(new Set(expected.map((cycle) => cycle.join(" "))).size).toBe(expected.length);
  }
});

test("every edge that lies on a cycle is in one that is told", () => {
  const edges = graph({ a: "b c", b: "c d", c: "a", d: "b", e: "a" });
  const told = new Set(
    findCycles(edges).flatMap((cycle) => cycle.slice(1).map((to, index) => `${cycle[index] ?? ""} ${to}`)),
  );
  expect([...told].sort()).toEqual(["a b", "a c", "b c", "b d", "c a", "d b"]);
});

test("a ring of 20,000 does not exhaust the stack", () => {
  const edges = new Map(Array.from({ length: 20_000 }, (_, i) => [`n${i}`, [`n${(i + 1) % 20_000}`]]));
  expect(findCycles(edges).map((cycle) => cycle.length)).toEqual([20_001]);
});
