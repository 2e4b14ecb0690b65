import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { BakeError } from "../../src/base/errors.ts";
import { readCatalog } from "../../src/catalog/index.ts";
import { makePlan, planValue } from "../../src/plan/index.ts";

// Each directory in cases/ is a small project with case.json (what it is about, and what is asked for) and
// expected.json (the plan, the problems, or the refusal). `npx vitest run test/catalog -u` writes expected.json
// anew: read the difference.

const directory = join(import.meta.dirname, "cases");
const caseSchema = z.strictObject({
  about: z.string(),
  verbs: z.array(z.string()).default([]),
  serviceDirectories: z.array(z.string()).default(["services"]),
  request: z
    .strictObject({
      services: z.array(z.string()),
      parameters: z.record(z.string(), z.record(z.string(), z.string())).default({}),
    })
    .optional(),
});

const cases = readdirSync(directory, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({
    name,
    ...caseSchema.parse(JSON.parse(readFileSync(join(directory, name, "case.json"), "utf8"))),
  }));

describe("cases", () => {
  test("are many", () => {
    expect(cases.length).toBeGreaterThanOrEqual(40);
  });

  test.each(cases)("$name: $about", async ({ name, verbs, serviceDirectories, request }) => {
    const project = join(directory, name);
    const outcome = readCatalog({
      projectDirectory: project,
      builtInDirectory: join(project, "built-in"),
      workingDirectory: project,
      verbs,
      serviceDirectories,
    });
    // A case about problems asks for nothing, a case about a plan has none.
    expect("catalog" in outcome).toBe(request !== undefined);
    const actual = "catalog" in outcome && request ? planOrRefusal(outcome.catalog, request) : outcome;
    await expect(`${JSON.stringify(actual, undefined, 2)}\n`).toMatchFileSnapshot(
      join(project, "expected.json"),
    );
  });
});

function planOrRefusal(
  catalog: Parameters<typeof makePlan>[0],
  request: NonNullable<(typeof cases)[number]["request"]>,
): unknown {
  const parameters = new Map(
    Object.entries(request.parameters).map(([service, values]) => [service, new Map(Object.entries(values))]),
  );
  try {
    return { plan: planValue(makePlan(catalog, { services: request.services, parameters })) };
  } catch (error) {
    if (!(error instanceof BakeError)) throw error;
    return {
      refused: { kind: error.kind, message: error.message, hint: error.hint, details: error.details },
    };
  }
}
