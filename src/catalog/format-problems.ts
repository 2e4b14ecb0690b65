import type { Problem } from "./service.ts";

/**
 * Problems as lines for a person, each with its place in the form that editors and terminals make a link of, and
 * its hint below.
 */
export function formatProblems(problems: readonly Problem[]): string[] {
  return problems.flatMap(({ file, line, message, hint }) => [
    `${file}${line === undefined ? "" : `:${line}`}: ${message}`,
    ...(hint === undefined ? [] : [`    ${hint}`]),
  ]);
}
