import { describe, expect, test } from "vitest";
import { errorLines } from "../../src/commands/error-lines.ts";
import { readDuration, readPorts } from "../../src/commands/options.ts";
import { readParameters } from "../../src/commands/project.ts";
import { readAddress } from "../../src/commands/ssh-target.ts";
import { BakeError } from "../../src/base/errors.ts";

test.each([
  ["90s", 90],
  ["10m", 600],
  ["2h", 7200],
  ["45", 45],
])("the duration %s is %d s", (text, seconds) => {
  expect(readDuration(text, "--x")).toBe(seconds);
});

test.each(["", "0", "5d", "-1m", "1.5h", "m"])("the duration %j is refused", (text) => {
  expect(() => readDuration(text, "--x")).toThrow(/is no duration/);
});

test("ports, in lists or repeated", () => {
  expect(readPorts(["80,443", "8080"])).toEqual([80, 443, 8080]);
  expect(() => readPorts(["0"])).toThrow(/no port/);
  expect(() => readPorts(["70000"])).toThrow(/no port/);
});

test("parameters: values may hold anything, = and dots included", () => {
  const values = readParameters(["a.x=1=2", "a.y=", "b.z=v.w\nnext"]);
  expect(values.get("a")?.get("x")).toBe("1=2");
  expect(values.get("a")?.get("y")).toBe("");
  expect(values.get("b")?.get("z")).toBe("v.w\nnext");
  expect(() => readParameters(["a=1"])).toThrow(/service.parameter=value/);
});

describe("addresses", () => {
  test.each([
    ["admin@192.0.2.1", "admin", "192.0.2.1", 22],
    ["admin@host.example:2222", "admin", "host.example", 2222],
    ["admin@[2001:db8::1]:2222", "admin", "2001:db8::1", 2222],
    ["admin@[2001:db8::1]", "admin", "2001:db8::1", 22],
  ])("%s", (text, user, host, port) => {
    expect(readAddress(text)).toEqual({ user, host, port });
  });
  test.each(["admin@", "a b@host", "host:99999", "2001:db8::1", ""])("%j is refused", (text) => {
    expect(() => readAddress(text)).toThrow(/is no address/);
  });
});

test("an error is message, cause, details and hint; a stack only with --debug", () => {
  const error = new BakeError("failed", "it broke", {
    cause: new Error("why"),
    details: ["line"],
    hint: "do this",
  });
  expect(errorLines(error, false)).toEqual([
    "bake-ami: it broke",
    "  because: why",
    "  line",
    "  hint: do this",
  ]);
  expect(errorLines(error, true).join("\n")).toContain("options.test.ts");
  expect(errorLines(new TypeError("x"), false).join("\n")).toContain("a fault of bake-ami");
});
