import { expect, test } from "vitest";
import { BakeError, messageOf } from "../../src/base/errors.ts";
import type { Catalog } from "../../src/catalog/service.ts";
import { parameterLines, referencesOf } from "../../src/launch/parameters.ts";
import type { RequestLine } from "../../src/launch/request-lines.ts";
import type { Event } from "../../src/report/events.ts";
import { catalog, parameter, service } from "../plan/catalogs.ts";
import { anImage } from "../support/resources.ts";

const services = [
  service("web", {
    parameters: new Map([
      ["port", parameter({ type: "integer", phase: "update" })],
      ["token", parameter({ secret: true, phase: "update" })],
      ["root", parameter({ phase: "init" })],
    ]),
  }),
  service("cert", { parameters: new Map([["name", parameter({ phase: "init" })]]) }),
  service("site", { requires: ["cert"] }),
  service("other"),
];
const here = catalog(services);

const image = anImage("ami-1", {
  tags: new Map([
    ["bake-ami:services", "web"],
    ["bake-ami:init.1", "web=0123456789abcdef"],
    ["bake-ami:catalog.1", "web=11111111 cert=22222222 theirs=33333333"],
  ]),
});

function linesOf(
  settings: Record<string, Record<string, string>>,
  late: readonly string[] = [],
  known: Catalog | "unreadable" = here,
): { readonly lines: RequestLine[]; readonly notes: string } {
  const given = new Map(
    Object.entries(settings).map(([name, values]) => [name, new Map(Object.entries(values))]),
  );
  const events: Event[] = [];
  const readable = known === "unreadable" ? undefined : known;
  const lines = parameterLines(given, { image, covered: ["web"], late }, readable, (event) => {
    events.push(event);
  });
  return { lines, notes: JSON.stringify(events) };
}

function refusal(...args: Parameters<typeof linesOf>): string {
  try {
    linesOf(...args);
  } catch (error) {
    expect(error).toMatchObject({ kind: "usage" });
    return `${messageOf(error)} | ${error instanceof BakeError ? (error.hint ?? "") : ""}`;
  }
  throw new Error("was not refused");
}

test("values are checked and brought into their form; secrets go by reference", () => {
  expect(linesOf({ web: { port: "+80", token: "ssm:/app/token" } }).lines).toEqual([
    { kind: "set", service: "web", parameter: "port", value: "80" },
    { kind: "secret", service: "web", parameter: "token", name: "/app/token" },
  ]);
});

test("a literal secret is refused, and the message does not repeat it", () => {
  const refused = refusal({ web: { token: "hunter2" } });
  expect(refused).toContain("--set web.token=ssm:/path");
  expect(refused).not.toContain("hunter2");
});

test("what does not fit the type, and parameters that there are not", () => {
  expect(refusal({ web: { port: "http" } })).toContain("web.port is a whole number");
  expect(refusal({ web: { prot: "80" } })).toMatch(/web has no parameter prot \| did you mean "port"/);
  expect(refusal({ other: { x: "1" } })).toMatch(
    /no machine of this launch has the service other \| .*--with other/,
  );
  expect(refusal({ othr: { x: "1" } })).toMatch(/there is no service "othr" \| did you mean "other"/);
});

test("what init has used already is baked; of a service that is added it is not", () => {
  expect(refusal({ web: { root: "/srv" } })).toMatch(
    /web\.root is used by init, which ami-1 has behind it \| bake again: `bake-ami web --set web\.root=/,
  );
  expect(linesOf({ cert: { name: "x" } }, ["cert"]).lines).toHaveLength(1);
  // Through what requires it, too.
  expect(linesOf({ cert: { name: "x" } }, ["site"]).lines).toHaveLength(1);
});

test("what only the image's catalog knows is passed on, with a note", () => {
  const { lines, notes } = linesOf({ web: { any: "1", token: "ssm:/app/token" } }, [], "unreadable");
  expect(lines).toEqual([
    { kind: "set", service: "web", parameter: "any", value: "1" },
    { kind: "secret", service: "web", parameter: "token", name: "/app/token" },
  ]);
  expect(notes).toContain("not checked, because the catalog here does not have them: web.any, web.token");
  expect(linesOf({ theirs: { x: "1" } }, ["theirs"]).lines).toHaveLength(1);
});

test("what the machines look for in Parameter Store: the launch's word first, then the catalog's", () => {
  const known = catalog([
    service("web", {
      parameters: new Map([
        ["token", parameter({ secret: true, from: "/a", phase: "update" })],
        ["host", parameter({ from: "/b", phase: "update" })],
        ["port", parameter({ phase: "update" })],
      ]),
    }),
    service("site", { requires: ["db"] }),
    service("db", { parameters: new Map([["key", parameter({ from: "/c", phase: "update" })]]) }),
    service("other", { parameters: new Map([["key", parameter({ from: "/d", phase: "update" })]]) }),
  ]);
  const choice = { image, covered: ["web"], late: ["site"] };
  const lines: RequestLine[] = [
    { kind: "set", service: "web", parameter: "host", value: "x" },
    { kind: "secret", service: "web", parameter: "port", name: "/p" },
  ];
  expect(referencesOf(lines, choice, known)).toEqual(["db.key", "web.port", "web.token"]);
  expect(referencesOf(lines, choice, undefined)).toEqual(["web.port"]);
});
