import { expect, test } from "vitest";
import { makePlan, planText, planValue } from "../../src/plan/index.ts";
import { Project } from "../support/project.ts";
import { parameter, catalog, catalogOf, service, unit } from "./catalogs.ts";

const nothing = new Map<string, Map<string, string>>();

test("a plan for people", () => {
  const step = (name: string): { name: string; path: string } => ({ name, path: `init/${name}` });
  const none = { init: [], update: [], verify: [] };
  const plan = makePlan(
    catalog(
      [
        service("base", { builtIn: true, description: "what every machine has" }),
        service("web", {
          requires: ["base"],
          packages: { dnf: ["nginx"], apt: ["nginx-light", "curl"] },
          units: [unit("nginx.service", true), unit("x.timer", false)],
          parameters: new Map([["title", parameter({ default: 'say "hi"' })]]),
          steps: { init: [step("10-a.sh"), step("20-b.sh")], update: [step("10-u.sh")], verify: [] },
        }),
      ],
      {
        directory: "/phases",
        before: { ...none, init: [step("10-mirror.sh")] },
        after: { ...none, verify: [step("90-report.sh")] },
        files: [],
      },
    ),
    { services: ["web"], parameters: nothing },
  );
  const [base, web] = plan.services;
  expect(planText(plan)).toBe(`Plan for web: 2 services in this order

before all services
   init    10-mirror.sh

1. base  (required by web; built in; ${base?.digest ?? ""})
   about   what every machine has

2. web  (requested; ${web?.digest ?? ""})
   init    10-a.sh, 20-b.sh, enable nginx.service, disable x.timer
   update  10-u.sh
   values  title="say \\"hi\\""

after all services
   verify  90-report.sh

packages, in one transaction
   dnf     nginx
   apt     curl nginx-light

digest ${plan.digest}`);
});

test("a plan of one service without anything is short", () => {
  const plan = makePlan(catalog([service("a")]), { services: ["a"], parameters: nothing });
  expect(planText(plan).split("\n")).toHaveLength(5);
  expect(planText(plan)).toContain("Plan for a: 1 service in this order");
});

test("numbers line up when there are many", () => {
  const services = Array.from({ length: 10 }, (_, index) => service(`s${index}`));
  const plan = makePlan(catalog(services), {
    services: services.map(({ name }) => name),
    parameters: nothing,
  });
  expect(planText(plan)).toMatch(/^ 1\. s0 .*^10\. s9 /ms);
});

test("the value for programs survives JSON and says its version", () => {
  using project = new Project({
    "services/a/service.yaml": "parameters: {p: {}}\n",
    "services/a/init.sh": "#!/bin/sh\n",
  });
  const value = planValue(makePlan(catalogOf(project), { services: ["a"], parameters: nothing }));
  const parsed: unknown = JSON.parse(JSON.stringify(value));
  expect(parsed).toEqual(value);
  expect(value.version).toBe(1);
  // Two checkouts give the same value.
  expect(JSON.stringify(value)).not.toContain(project.directory);
});
