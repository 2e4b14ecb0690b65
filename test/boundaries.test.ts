import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

/** Which rooms each room may import; see docs/architecture.md. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  report: ["base"],
  aws: ["base", "report"],
  catalog: ["base", "report"],
  plan: ["base", "report", "catalog"],
  bundle: ["base", "report", "catalog", "plan"],
  machine: ["base", "report", "catalog", "plan", "bundle"],
  bake: ["base", "report", "aws", "catalog", "plan", "bundle", "machine", "cleanup"],
  launch: ["base", "report", "aws", "catalog", "plan", "bundle", "machine"],
  fleet: ["base", "report", "aws", "catalog", "plan", "bundle", "machine", "launch"],
  jobs: ["base", "report", "aws", "catalog", "plan", "bundle", "machine", "launch"],
  cleanup: ["base", "report", "aws"],
  local: ["base"],
  commands: [
    "base",
    "report",
    "aws",
    "catalog",
    "plan",
    "bundle",
    "machine",
    "bake",
    "launch",
    "fleet",
    "jobs",
    "cleanup",
    "local",
  ],
};

const source = resolve(import.meta.dirname, "../src");

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(join(source, file), "utf8");
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
  return specifiers.map((to) => ({ from: file, to }));
});

const roomOf = (file: string): string => file.split("/")[0] ?? "";

test("every room is known", () => {
  const rooms = new Set(files.filter((file) => file.includes("/")).map(roomOf));
  expect([...rooms].sort()).toEqual(Object.keys(allowed).sort());
});

test("imports between rooms point one way", () => {
  const wrong = imports.flatMap(({ from, to }) => {
    if (!to.startsWith(".") || !from.includes("/")) return [];
    const target = relative(source, resolve(source, dirname(from), to));
    const [here, there] = [roomOf(from), roomOf(target)];
    return here === there || allowed[here]?.includes(there) === true ? [] : [`${from} imports ${target}`];
  });
  expect(wrong).toEqual([]);
});

test("only aws imports the AWS SDK", () => {
  const wrong = imports.filter(({ from, to }) => /^@(aws-sdk|smithy)\//.test(to) && roomOf(from) !== "aws");
  // What other rooms need of it are types of filters and the like, and aws can give them those.
  expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("only base/process.ts starts programs, apart from those that outlive a call", () => {
  const longLived = ["base/process.ts", "machine/transport.ts"];
  const wrong = imports.filter(({ from, to }) => to === "node:child_process" && !longLived.includes(from));
  expect(wrong.filter(({ from }) => !from.startsWith("local/qemu/")).map(({ from }) => from)).toEqual([]);
});
