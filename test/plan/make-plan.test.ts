import { describe, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { makePlan, mergedPackages } from "../../src/plan/index.ts";
import { randomNumbers, shuffled } from "../support/random.ts";
import { parameter, catalog, service } from "./catalogs.ts";

const nothing = new Map<string, Map<string, string>>();

function orderOf(plan: ReturnType<typeof makePlan>): string[] {
  return plan.services.map(({ service: { name } }) => name);
}

describe("order", () => {
  test("requirements come first; else the order is that of the names", () => {
    const services = catalog([
      service("a", { requires: ["z"] }),
      service("m"),
      service("z", { requires: ["y"] }),
      service("y"),
      service("unasked"),
    ]);
    expect(orderOf(makePlan(services, { services: ["m", "a"], parameters: nothing }))).toEqual([
      "m",
      "y",
      "z",
      "a",
    ]);
  });

  test.each([1, 2, 3])(
    "of random graphs is topological, and the same however they are given (seed %i)",
    (seed) => {
      const random = randomNumbers(seed);
      const names = shuffled(
        Array.from({ length: 120 }, (_, index) => `s${index}`),
        random,
      );
      const services = names.map((name, index) =>
        service(name, {
          requires: [...new Set(Array.from({ length: random(5) }, () => names[random(index)] ?? ""))].filter(
            (other) => other !== "" && other !== name,
          ),
        }),
      );
      const asked = { services: names.slice(-20), parameters: nothing };
      const plan = makePlan(catalog(services), asked);
      const place = new Map(orderOf(plan).map((name, index) => [name, index]));
      for (const planned of plan.services) {
        for (const required of planned.service.requires) {
          expect(place.get(required)).toBeLessThan(place.get(planned.service.name) ?? -1);
        }
      }
      for (let round = 0; round < 5; round++) {
        const again = shuffled(services, random).map((one) => ({
          ...one,
          requires: shuffled(one.requires, random),
        }));
        const other = makePlan(catalog(again), { ...asked, services: shuffled(asked.services, random) });
        expect(orderOf(other)).toEqual(orderOf(plan));
        expect(other.digest).toBe(plan.digest);
        expect(other.services.map(({ digest, requiredBy }) => [digest, requiredBy])).toEqual(
          plan.services.map(({ digest, requiredBy }) => [digest, requiredBy]),
        );
      }
    },
  );

  test("of a chain of 2,000", () => {
    const chain = Array.from({ length: 2000 }, (_, i) =>
      service(`s${i}`, { requires: i === 0 ? [] : [`s${i - 1}`] }),
    );
    const plan = makePlan(catalog(chain), { services: ["s1999"], parameters: nothing });
    expect(orderOf(plan)).toEqual(chain.map(({ name }) => name));
  });
});

test("why each service is in", () => {
  const services = catalog([
    service("base"),
    service("left", { requires: ["base"] }),
    service("right", { requires: ["base"] }),
    service("outside", { requires: ["base"] }),
  ]);
  const plan = makePlan(services, { services: ["right", "left", "left"], parameters: nothing });
  expect(plan.requested).toEqual(["left", "right"]);
  expect(plan.services.map((it) => [it.service.name, it.requested, it.requiredBy])).toEqual([
    ["base", false, ["left", "right"]],
    ["left", true, []],
    ["right", true, []],
  ]);
});

test("a service has the same digest in each plan that it is in", () => {
  const services = catalog([service("base"), service("web", { requires: ["base"] }), service("other")]);
  const digestOf = (asked: string[]): string | undefined =>
    makePlan(services, { services: asked, parameters: nothing }).services.find(
      (it) => it.service.name === "web",
    )?.digest;
  expect(digestOf(["web"])).toBe(digestOf(["web", "base", "other"]));
});

test("packages of all services are merged", () => {
  const services = catalog([
    service("a", { packages: { dnf: ["b", "a"], apt: ["x"] } }),
    service("b", { packages: { dnf: ["a", "c"], apt: [] } }),
    service("c", { packages: { dnf: ["unasked"], apt: [] } }),
  ]);
  expect(mergedPackages(makePlan(services, { services: ["a", "b"], parameters: nothing }))).toEqual({
    dnf: ["a", "b", "c"],
    apt: ["x"],
  });
});

test("values of parameters: given, else the default, else none", () => {
  const parameters = new Map([
    ["given", parameter({ default: "1" })],
    ["left", parameter({ default: "2" })],
    ["none", parameter()],
  ]);
  const plan = makePlan(catalog([service("a", { parameters })]), {
    services: ["a"],
    parameters: new Map([["a", new Map([["given", ""]])]]),
  });
  expect([...(plan.services[0]?.parameters ?? [])]).toEqual([
    ["given", ""],
    ["left", "2"],
  ]);
});

test("a value with a NUL is refused", () => {
  const parameters = new Map([["p", parameter()]]);
  const request = { services: ["a"], parameters: new Map([["a", new Map([["p", "x\0"]])]]) };
  expect(() => makePlan(catalog([service("a", { parameters })]), request)).toThrow(BakeError);
});
