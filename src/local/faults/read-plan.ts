import { readFile } from "node:fs/promises";
import { isNode, LineCounter, parseDocument, type Document } from "yaml";
import * as z from "zod";
import { BakeError, messageOf } from "../../base/errors.ts";
import { didYouMean } from "../../base/nearest.ts";
import { faultPlanSchema, type CheckedFaultPlan } from "./plan.ts";

const explained = 'every key is explained in docs/local-cloud.md, section "Misbehaviour"';

/**
 * The plan in a JSON or YAML file.
 * @throws BakeError `usage` for a file that cannot be read and for the first thing in it that is wrong, with its place
 */
export async function readFaultPlan(file: string): Promise<CheckedFaultPlan> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new BakeError("usage", `the fault plan ${file} cannot be read: ${messageOf(error)}`, {
      hint: "name a JSON or YAML file",
      cause: error,
    });
  }
  const lines = new LineCounter();
  // JSON is YAML.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [slip] = document.errors;
  if (slip !== undefined) {
    throw wrong(`${file}:${lines.linePos(slip.pos[0]).line}`, `malformed: ${slip.message}`);
  }
  // An empty file is a plan without faults.
  const value: unknown = document.toJS() ?? {};
  const result = faultPlanSchema.safeParse(value);
  if (result.success) return result.data;
  const problem = firstProblem(result.error);
  throw wrong(`${file}:${lineOf(document, lines, problem.path)}`, textOf(problem), problem.guess);
}

/**
 * The plan with its defaults filled in.
 * @throws BakeError `usage`
 */
export function checkedFaultPlan(plan: unknown): CheckedFaultPlan {
  const result = faultPlanSchema.safeParse(plan);
  if (result.success) return result.data;
  const problem = firstProblem(result.error);
  throw wrong("the fault plan", textOf(problem), problem.guess);
}

function wrong(place: string, what: string, guess = ""): BakeError {
  return new BakeError("usage", `${place}: ${what}`, {
    hint: guess === "" ? explained : `${guess} ${explained}`,
  });
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** What was probably meant, if anything. */
  readonly guess?: string;
}

function firstProblem(error: z.ZodError): Problem {
  const [issue] = error.issues;
  if (issue === undefined) return { path: [], message: "not a fault plan" };
  switch (issue.code) {
    case "unrecognized_keys": {
      const [key = ""] = issue.keys;
      const known = keysIn(z.toJSONSchema(faultPlanSchema, { io: "input" }));
      return {
        path: [...issue.path, key],
        message: "there is no such key here",
        guess: didYouMean(key, known),
      };
    }
    case "invalid_union": {
      // One of the forms that the value may have fits but for something in it.
      const inner = issue.errors.flat().find(({ path, code }) => path.length > 0 || code === "custom");
      if (inner === undefined) return issue;
      return { path: [...issue.path, ...inner.path], message: inner.message };
    }
    case "invalid_key":
      return { path: issue.path, message: issue.issues[0]?.message ?? issue.message };
    default:
      return issue;
  }
}

/** Names of all keys that a JSON schema has anywhere. */
function keysIn(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const entries = Object.entries(schema).map(([name, value]): [string, unknown] => [name, value]);
  return entries.flatMap(([name, value]) => {
    const names =
      name === "properties" && typeof value === "object" && value !== null ? Object.keys(value) : [];
    return [...names, ...keysIn(value)];
  });
}

function textOf({ path, message }: Problem): string {
  return path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`;
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
