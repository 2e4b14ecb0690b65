import type { Tree, TreeProblem } from "./read-tree.ts";
import { placed, serviceFiles } from "./parse-service.ts";
import { phases, type GlobalSteps, type Phase, type Problem, type Step } from "./service.ts";
import { slipOf } from "./slip.ts";
import { isNoStep, stepsIn, type StepsResult } from "./steps.ts";

const sides = ["before", "after"] as const;

/**
 * Whether an entry of the project's `phases/` is passed over. A project may keep anything else there; only the
 * directories of the phases are bake-ami's.
 */
export function isIgnoredInPhases(path: string): boolean {
  const [phase = "", ...below] = path.split("/");
  return !phases.some((known) => known === phase) || below.some(isNoStep);
}

/**
 * Checks the project's `phases/`.
 * @param siblings names of all directories in it, to notice a misspelt phase
 */
export function parseGlobalSteps(
  tree: Tree,
  siblings: readonly string[],
): { readonly globalSteps: GlobalSteps | undefined; readonly problems: readonly Problem[] } {
  const results = new Map<string, StepsResult>();
  for (const phase of phases) {
    for (const side of sides) results.set(`${phase}/${side}`, stepsIn(tree, `${phase}/${side}`));
  }
  const stepsOf = (side: (typeof sides)[number]): Record<Phase, readonly Step[]> => ({
    init: results.get(`init/${side}`)?.steps ?? [],
    update: results.get(`update/${side}`)?.steps ?? [],
    verify: results.get(`verify/${side}`)?.steps ?? [],
  });
  const problems: readonly TreeProblem[] = [
    ...tree.problems,
    ...[...results.values()].flatMap((result) => result.problems),
    ...misplaced(tree),
    ...misspelt(siblings),
  ];
  const isThere = [...results.values()].some(({ steps }) => steps.length > 0);
  return {
    globalSteps: isThere
      ? {
          directory: tree.directory,
          before: stepsOf("before"),
          after: stepsOf("after"),
          files: serviceFiles(tree),
        }
      : undefined,
    problems: problems.map((problem) => placed(tree, problem)),
  };
}

function misplaced(tree: Tree): TreeProblem[] {
  const hint = (path: string): string => {
    const phase = path.slice(0, path.indexOf("/"));
    return `global steps of ${phase} are in phases/${phase}/before/ and phases/${phase}/after/`;
  };
  const isBelowPhase = (path: string): boolean => path.split("/").length === 2;
  return [
    ...tree.files
      .map(({ path }) => path)
      .filter((path) => isBelowPhase(path) || phases.some((phase) => phase === path))
      .map((path) => ({ path, message: "a file that would never run", hint: hint(`${path}/`) })),
    ...tree.directories
      .filter((path) => isBelowPhase(path) && !sides.some((side) => path.endsWith(`/${side}`)))
      .map((path) => ({ path, message: `unknown directory ${path}/`, hint: hint(path) })),
  ];
}

function misspelt(siblings: readonly string[]): TreeProblem[] {
  return siblings.flatMap((name) => {
    if (phases.some((phase) => phase === name)) return [];
    const meant = slipOf(name, phases);
    return meant === undefined
      ? []
      : [{ path: name, message: `unknown phase ${name}/`, hint: `did you mean "${meant}"?` }];
  });
}
