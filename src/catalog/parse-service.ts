import { didYouMean } from "../base/nearest.ts";
import { parseDeclaration } from "./declaration.ts";
import type { Tree, TreeProblem } from "./read-tree.ts";
import { phases, type Phase, type Problem, type Service, type ServiceFile, type Step } from "./service.ts";
import { slipOf } from "./slip.ts";
import { checkStep, isLeftover, isNoStep, stepsIn, type StepsResult } from "./steps.ts";

export const declarationFile = "service.yaml";

/** A directory that should be a service, as it was found. */
export interface FoundService {
  /** The directory's own name. */
  readonly name: string;
  readonly builtIn: boolean;
  readonly tree: Tree;
}

/** A service with what is wrong in its own directory. */
export interface ParsedService {
  readonly service: Service;
  /** The directory as a person would name it. */
  readonly shownAs: string;
  readonly problems: readonly Problem[];
  /** The place of a requirement in the service's file. */
  readonly placeOfRequirement: (name: string) => Pick<Problem, "file" | "line">;
}

/** Whether an entry of a service directory is none of bake-ami's business. */
export function isIgnoredInService(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  // Hidden files may be content in files/ (.htaccess); elsewhere they belong to git or to an editor.
  if (path.startsWith("files/")) return isLeftover(name);
  if (phases.some((phase) => path.startsWith(`${phase}/`))) return isNoStep(name);
  return name.startsWith(".") || isLeftover(name);
}

/** Checks a service's directory by itself: its file, its steps, its layout. */
export function parseService({ name, builtIn, tree }: FoundService): ParsedService {
  const { declared, problems, lineOfRequirement } = parseDeclaration(tree.kept);
  const file = `${tree.shownAs}/${declarationFile}`;
  const steps = new Map(phases.map((phase) => [phase, stepsOf(tree, phase)]));
  const stepsOfPhase = (phase: Phase): readonly Step[] => steps.get(phase)?.steps ?? [];
  const inTree: readonly TreeProblem[] = [
    ...tree.problems,
    ...[...steps.values()].flatMap((result) => result.problems),
    ...misnamed(tree),
  ];
  return {
    service: {
      name,
      directory: tree.directory,
      builtIn,
      ...declared,
      steps: {
        init: stepsOfPhase("init"),
        update: stepsOfPhase("update"),
        verify: stepsOfPhase("verify"),
      },
      files: serviceFiles(tree).filter(({ path }) => path !== declarationFile),
    },
    shownAs: tree.shownAs,
    problems: [
      ...problems.map((problem) => ({ file, ...problem })),
      ...missingFiles(declared, tree).map((problem) => ({ file, line: undefined, ...problem })),
      ...inTree.map((it) => placed(tree, it)),
    ],
    placeOfRequirement: (required) => ({ file, line: lineOfRequirement(required) }),
  };
}

/** Files of the service's own directory that declared resources are made of, and that are not there. */
function missingFiles(
  { resources }: Pick<Service, "resources">,
  tree: Tree,
): Pick<Problem, "message" | "hint">[] {
  const there = tree.files.flatMap(({ path }) =>
    path.startsWith("files/") ? [path.slice("files/".length)] : [],
  );
  return resources.flatMap(({ kind, name, fields }) => {
    const wanted = kind === "files" ? fields["source"] : kind === "sources" ? fields["file"] : undefined;
    if (wanted === undefined || there.includes(wanted)) return [];
    const message = `${name} is made of files/${wanted}, which is not there`;
    return [{ message, hint: didYouMean(wanted, there) || "paths are those below files/" }];
  });
}

/** The files of a tree without what only the checks needed. */
export function serviceFiles(tree: Tree): ServiceFile[] {
  return tree.files.map(({ path, absolutePath, executable, size, sha256 }) => ({
    path,
    absolutePath,
    executable,
    size,
    sha256,
  }));
}

/** A problem of a tree as one of the catalog. */
export function placed(tree: Tree, { path, message, hint }: TreeProblem): Problem {
  return { file: path === "" ? tree.shownAs : `${tree.shownAs}/${path}`, line: undefined, message, hint };
}

function stepsOf(tree: Tree, phase: Phase): StepsResult {
  const single = tree.files.find(({ path }) => path === `${phase}.sh`);
  const inDirectory = stepsIn(tree, phase);
  if (single === undefined) return inDirectory;
  const problems = [...inDirectory.problems, ...checkStep(tree, single)];
  if (tree.directories.includes(phase)) {
    const hint = `keep one: a single ${single.path}, or steps in ${phase}/`;
    problems.push({ path: single.path, message: `both ${single.path} and ${phase}/ are there`, hint });
  }
  return { steps: [{ name: single.path, path: single.path }, ...inDirectory.steps], problems };
}

const knownDirectories: readonly string[] = [...phases, "files"];
const knownFiles: readonly string[] = [declarationFile, ...phases.map((phase) => `${phase}.sh`)];

/**
 * Entries that were probably meant to be something that bake-ami reads, which would else be passed over without a
 * word: `inti/`, `service.yml`, `Update.sh`, a file named init.
 */
function misnamed(tree: Tree): TreeProblem[] {
  const problems: TreeProblem[] = [];
  const isTop = (path: string): boolean => !path.includes("/");
  for (const path of tree.directories.filter(isTop)) {
    if (knownDirectories.includes(path)) continue;
    if (knownFiles.includes(path)) {
      problems.push({ path, message: "a directory where a file is expected", hint: `make ${path} a file` });
      continue;
    }
    const meant = slipOf(path, knownDirectories);
    if (meant === undefined) continue;
    const hint = `did you mean "${meant}"? Keep other things in files/`;
    problems.push({ path, message: `unknown directory ${path}/`, hint });
  }
  for (const { path } of tree.files.filter(({ path }) => isTop(path))) {
    if (knownFiles.includes(path)) continue;
    if (knownDirectories.includes(path)) {
      const hint = path === "files" ? "make it a directory" : `a single step is called ${path}.sh`;
      problems.push({ path, message: "a file where a directory is expected", hint });
      continue;
    }
    const meant = slipOf(path, knownFiles);
    if (meant === undefined) continue;
    const hint = `did you mean "${meant}"? Keep other things in files/`;
    problems.push({ path, message: `unknown file ${path}`, hint });
  }
  return problems;
}
