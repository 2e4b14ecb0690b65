import { expect, test } from "vitest";
import { asServiceName, environmentName } from "../../src/catalog/names.ts";
import { slipOf } from "../../src/catalog/slip.ts";

test("a parameter's variable", () => {
  expect(environmentName("listen-port_2")).toBe("BAKE_LISTEN_PORT_2");
});

test.each([
  ["My Service!", "my-service"],
  ["3com", "com"],
  ["--x--", "x"],
  ["x".repeat(80), "x".repeat(63)],
  ["42", undefined],
  ["", undefined],
])("a service name from %j", (text, name) => {
  expect(asServiceName(text)).toBe(name);
});

test.each([
  ["inti", "init"],
  ["INIT", "init"],
  ["nit", undefined],
  ["niit", "init"],
  ["unit", undefined],
  ["units", undefined],
  ["init2", "init"],
  ["lib", undefined],
  ["updates", "update"],
  ["date", undefined],
])("%s is a slip of %s", (word, known) => {
  expect(slipOf(word, ["init", "update", "verify"])).toBe(known);
});
