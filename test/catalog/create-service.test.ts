import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { createService, readCatalog } from "../../src/catalog/index.ts";
import { Project } from "../support/project.ts";

function refusalOf(act: () => unknown): BakeError {
  try {
    act();
  } catch (error) {
    if (error instanceof BakeError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

test("makes a service that has no problem, with a step for each phase", () => {
  using project = new Project();
  const services = join(project.directory, "services");
  expect(createService(services, "my-app", [])).toBe(join(services, "my-app"));
  const result = readCatalog({ projectDirectory: project.directory, builtInDirectory: "/none", verbs: [] });
  expect(result).not.toHaveProperty("problems");
  const service = "catalog" in result ? result.catalog.services.get("my-app") : undefined;
  expect(service?.steps).toEqual({
    init: [{ name: "10-install.sh", path: "init/10-install.sh" }],
    update: [{ name: "10-configure.sh", path: "update/10-configure.sh" }],
    verify: [{ name: "10-check.sh", path: "verify/10-check.sh" }],
  });
  expect(service?.description).toBe("my-app");
  expect(service?.files.every(({ executable }) => executable)).toBe(true);
  expect(readFileSync(join(services, "my-app/service.yaml"), "utf8")).not.toContain("SERVICE");
  expect(statSync(join(services, "my-app")).mode & 0o777).toBe(0o755);
  expect(readdirSync(services)).toEqual(["my-app"]);
});

test("leaves what is there alone", () => {
  using project = new Project();
  mkdirSync(join(project.directory, "web"));
  const refusal = refusalOf(() => createService(project.directory, "web", []));
  expect([refusal.kind, refusal.message]).toEqual(["usage", `${project.directory}/web exists already`]);
  expect(readdirSync(join(project.directory, "web"))).toEqual([]);
});

test.each([
  ["My App", '"My App" is not a service name', "for example: bake-ami new my-app"],
  ["..", '".." is not a service name', undefined],
  ["plan", "a service cannot be named plan: bake-ami plan is a command", "for example: bake-ami new my-plan"],
])("refuses the name %s and writes nothing", (name, message, hint) => {
  using project = new Project();
  const refusal = refusalOf(() => createService(join(project.directory, "services"), name, ["plan"]));
  expect([refusal.kind, refusal.message]).toEqual(["usage", message]);
  if (hint !== undefined) expect(refusal.hint).toBe(hint);
  expect(readdirSync(project.directory)).toEqual([]);
});
