import { readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { systemCodeOf } from "../base/errors.ts";
import { byText, serviceNamePattern } from "./names.ts";
import { parseCatalog, type CatalogResult } from "./parse-catalog.ts";
import { isIgnoredInPhases } from "./parse-global-steps.ts";
import { declarationFile, isIgnoredInService, type FoundService } from "./parse-service.ts";
import { readTree, reasonOf } from "./read-tree.ts";
import type { Problem } from "./service.ts";

export interface CatalogOptions {
  /** The project, with `services/` and `phases/` in it; both may be missing. */
  readonly projectDirectory: string;
  /** The services that come with bake-ami. */
  readonly builtInDirectory: string;
  /** The words of the command line, which no service may be named by. */
  readonly verbs: readonly string[];
  /** Where the project keeps its services, relative to it; `services` when absent. */
  readonly serviceDirectories?: readonly string[];
  /** What the places of problems are shown relative to; the process's own when absent. */
  readonly workingDirectory?: string;
}

/**
 * Reads the project's services and the built-in ones. A service of the project replaces a built-in one of the same
 * name, which is then not even read.
 * @returns the catalog, or every problem in it; nothing is thrown for what is wrong on disk
 */
export function readCatalog(options: CatalogOptions): CatalogResult {
  const working = options.workingDirectory ?? process.cwd();
  const problems: Problem[] = [];
  const show = (path: string): string => {
    const near = relative(working, path) || ".";
    return near.length < path.length ? near : path;
  };
  const list = (directory: string): string[] => {
    try {
      return directoriesIn(directory);
    } catch (error) {
      if (systemCodeOf(error) !== "ENOENT") {
        const message = `cannot be read: ${reasonOf(error)}`;
        problems.push({ file: show(directory), line: undefined, message, hint: undefined });
      }
      return [];
    }
  };
  const readServices = (root: string, builtIn: boolean, names: readonly string[]): FoundService[] => {
    const shownRoot = show(root);
    return names.map((name) => {
      const directory = `${root}/${name}`;
      const shownAs = shownRoot === "." ? name : `${shownRoot}/${name}`;
      const tree = readTree({ directory, shownAs, ignored: isIgnoredInService, keep: declarationFile });
      return { name, builtIn, tree };
    });
  };

  const project = resolve(working, options.projectDirectory);
  const builtIn = resolve(working, options.builtInDirectory);
  if (!isDirectory(project)) {
    const hint = "start in the project, or say where it is";
    problems.push({ file: show(project), line: undefined, message: "no such project directory", hint });
  }
  const own = (options.serviceDirectories ?? ["services"])
    .map((directory) => resolve(project, directory))
    // In bake-ami's own repository the project's services are the built-in ones.
    .filter((root) => !isSameDirectory(root, builtIn))
    .flatMap((root) => readServices(root, false, list(root)));
  const replaced = new Set(own.map(({ name }) => name).filter((name) => serviceNamePattern.test(name)));
  const others = list(builtIn).filter((name) => !replaced.has(name));

  const phases = join(project, "phases");
  const siblings = list(phases);
  const tree = { directory: phases, shownAs: show(phases), ignored: isIgnoredInPhases };
  return parseCatalog(
    {
      services: [...own, ...readServices(builtIn, true, others)],
      phases: siblings.length === 0 ? undefined : { tree: readTree(tree), siblings },
      problems,
    },
    options.verbs,
  );
}

/** Names of the directories in a directory, and of links to some; not the hidden ones. Sorted. */
function directoriesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(
      (entry) =>
        !entry.name.startsWith(".") &&
        (entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(join(directory, entry.name)))),
    )
    .map(({ name }) => name)
    .sort(byText);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isSameDirectory(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
