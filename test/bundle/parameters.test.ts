import { expect, test } from "vitest";
import { parameterLists } from "../../src/bundle/parameters.ts";
import type { Parameter } from "../../src/catalog/service.ts";
import { Workshop } from "./support.ts";

const declared = (changes: Partial<Parameter>): Parameter => ({
  type: "string",
  values: [],
  default: undefined,
  description: undefined,
  required: false,
  secret: false,
  from: undefined,
  phase: "init",
  ...changes,
});

test("parameters are for the phases that they say", () => {
  using workshop = new Workshop();
  const [planned] = workshop.plan({ web: {} }).services;
  if (planned === undefined) throw new Error("no service");
  const lists = parameterLists({
    ...planned,
    parameters: new Map([
      ["port", "80"],
      ["greeting", "it's me"],
      ["empty", ""],
    ]),
    references: new Map([["token", "/app/token"]]),
    service: {
      ...planned.service,
      parameters: new Map([
        ["port", declared({})],
        ["greeting", declared({ phase: "update" })],
        ["empty", declared({ phase: "update", required: true })],
        ["token", declared({ secret: true, phase: "update", required: true, from: "/app/token" })],
        ["other-secret", declared({ secret: true, phase: "update" })],
        ["name", declared({ required: true, phase: "update" })],
        ["kind", declared({ required: true })],
      ]),
    },
  });
  expect(lists).toEqual({
    env: ["BAKE_PORT=80"],
    "env-update": ["BAKE_EMPTY=''", "BAKE_GREETING='it'\\''s me'"],
    "update-names": ["BAKE_EMPTY", "BAKE_GREETING", "BAKE_NAME", "BAKE_OTHER_SECRET", "BAKE_TOKEN"],
    secrets: ["BAKE_TOKEN\t/app/token"],
    required: ["BAKE_KIND\tkind\tinit", "BAKE_NAME\tname\tupdate"],
  });
});

test("a service without parameters has no list but the one that every phase reads", () => {
  using workshop = new Workshop();
  const [planned] = workshop.plan({ web: {} }).services;
  if (planned === undefined) throw new Error("no service");
  expect(Object.values(parameterLists(planned)).flat()).toEqual([]);
});
