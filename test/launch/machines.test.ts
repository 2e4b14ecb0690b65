import { expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { pickMachine, pickToEnd } from "../../src/launch/machines.ts";
import { anInstance } from "../support/resources.ts";

const machine = (id: string, role: string): ReturnType<typeof anInstance> =>
  anInstance(id, {
    tags: new Map([
      ["bake-ami:role", role],
      ["bake-ami:run", "r1"],
      ["bake-ami:services", "web"],
    ]),
  });

/** Oldest first; the newest is a builder. */
const all = [
  machine("i-0aaaaaaaaaaaaaaa1", "machine"),
  machine("i-0aaaaaaaaaaaaaaa2", "machine"),
  machine("i-0bbbbbbbbbbbbbbbb", "builder"),
];

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BakeError && error.kind === "usage") {
      return [error.message, ...error.details, error.hint].join("\n");
    }
    throw error;
  }
  return "none";
}

test("latest is the newest machine and never a builder", () => {
  expect(pickMachine(all, "latest").id).toBe("i-0aaaaaaaaaaaaaaa2");
  expect(refusal(() => pickMachine(all.slice(2), "latest"))).toMatch(/you have no machine.*\n.*i-0bbb/);
  expect(refusal(() => pickMachine([], "latest"))).toMatch(/bake-ami launch/);
});

test("an id, or as much of its beginning as tells it apart", () => {
  expect(pickMachine(all, "i-0aaaaaaaaaaaaaaa1").id).toBe("i-0aaaaaaaaaaaaaaa1");
  expect(pickMachine(all, "i-0bb").id).toBe("i-0bbbbbbbbbbbbbbbb");
  expect(refusal(() => pickMachine(all, "i-0aaa"))).toMatch(
    /^i-0aaa is the beginning of 2 machines\ni-0a+1 {2}running {2}web\ni-0a+2 {2}running {2}web\ngive more of the id$/,
  );
  expect(refusal(() => pickMachine(all, "i-0b"))).toMatch(/too short a beginning of i-0b+\ngive at least 5/);
  expect(refusal(() => pickMachine(all, "i-0aaaaaaaaaaaaaab1"))).toMatch(
    /there is no machine.*\ndid you mean/,
  );
  expect(refusal(() => pickMachine([], "i-1"))).toMatch(/you have no machines/);
});

test("a builder is ended by its whole id alone", () => {
  expect(pickToEnd(all, "i-0bbbbbbbbbbbbbbbb").id).toBe("i-0bbbbbbbbbbbbbbbb");
  expect(pickToEnd(all, "i-0aaaaaaaaaaaaaaa1").id).toBe("i-0aaaaaaaaaaaaaaa1");
  expect(refusal(() => pickToEnd(all, "i-0bbbb"))).toMatch(
    /i-0bbbb is the builder of run r1\n.*`bake-ami terminate i-0bbbbbbbbbbbbbbbb`/,
  );
});
