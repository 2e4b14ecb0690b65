import { readFile } from "node:fs/promises";
import { isNode, LineCounter, parseDocument, type Document } from "yaml";
import type * as z from "zod";
import { BakeError, messageOf } from "../../base/errors.ts";
import { faultPlanSchema, type CheckedFaultPlan } from "./plan.ts";

const hint = 'every key is explained in docs/local-cloud.md, section "Misbehaviour"';

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
  const { path, message } = firstProblem(result.error);
  throw wrong(`${file}:${lineOf(document, lines, path)}`, problemText(path, message));
}

/**
 * The plan with its defaults filled in.
 * @throws BakeError `usage`
 */
export function checkedFaultPlan(plan: unknown): CheckedFaultPlan {
  const result = faultPlanSchema.safeParse(plan);
  if (result.success) return result.data;
  const { path, message } = firstProblem(result.error);
  throw wrong("the fault plan", problemText(path, message));
}

function wrong(place: string, what: string): BakeError {
  return new BakeError("usage", `${place}: ${what}`, { hint });
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function firstProblem(error: z.ZodError): Problem {
  const [issue] = error.issues;
  if (issue === undefined) return { path: [], message: "not a fault plan" };
  if (issue.code === "unrecognized_keys") {
    return { path: [...issue.path, issue.keys[0] ?? ""], message: "there is no such key" };
  }
  if (issue.code === "invalid_union") {
    // Of the forms that a value may have, the one that it came farthest in says most.
    const deepest = issue.errors.flat().sort((a, b) => b.path.length - a.path.length || rank(a) - rank(b))[0];
    if (deepest !== undefined) return { path: [...issue.path, ...deepest.path], message: deepest.message };
  }
  return { path: issue.path, message: issue.message };
}

/** A value of the right type that will not do says more than one of another type. */
function rank({ code }: z.core.$ZodIssue): number {
  return code === "invalid_type" ? 1 : 0;
}

function problemText(path: readonly PropertyKey[], message: string): string {
  return path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`;
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
