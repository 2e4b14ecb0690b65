import { shellCommand } from "../base/quote.ts";
import { stepNamePattern } from "./names.ts";
import type { Step } from "./service.ts";
import type { Tree, TreeFile, TreeProblem } from "./read-tree.ts";

/** Whether a file is what an editor or a desktop leaves behind, which nobody means to ship. */
export function isLeftover(name: string): boolean {
  return (
    name === ".DS_Store" ||
    name.endsWith("~") ||
    name.startsWith(".#") ||
    /^#.*#$/.test(name) ||
    /^\..*\.sw[a-p]$/.test(name)
  );
}

/** Whether a file among steps is passed over: hidden ones, and copies that editors and merges keep. */
export function isNoStep(name: string): boolean {
  return name.startsWith(".") || isLeftover(name) || /\.(?:bak|orig|rej)$/.test(name);
}

export interface StepsResult {
  /** In the order in which they run. */
  readonly steps: readonly Step[];
  readonly problems: readonly TreeProblem[];
}

/**
 * The steps in one directory of a tree: each of its files, in lexical order. There are no others to be found
 * there, so that a step that lacks its run bit is a mistake that is told and not one that passes in silence.
 */
export function stepsIn(tree: Tree, directory: string): StepsResult {
  const prefix = `${directory}/`;
  const inside = tree.files.filter(({ path }) => path.startsWith(prefix));
  const steps = inside.filter(({ path }) => !path.slice(prefix.length).includes("/"));
  const nested = tree.directories.filter((path) => path.startsWith(prefix));
  return {
    steps: steps.map((file) => ({ name: file.path.slice(prefix.length), path: file.path })),
    problems: [
      ...steps.flatMap((file) => checkStep(tree, file)),
      ...nested
        .filter((path) => !path.slice(prefix.length).includes("/"))
        .map((path) => ({
          path,
          message: "a directory among the steps",
          hint: `steps are the files right in ${directory}/; keep what they use elsewhere`,
        })),
    ],
  };
}

/** What is wrong with a file that has to run as a step. */
export function checkStep(tree: Tree, file: TreeFile): TreeProblem[] {
  const { path } = file;
  const problems: TreeProblem[] = [];
  const tell = (message: string, hint: string): void => {
    problems.push({ path, message, hint });
  };
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!stepNamePattern.test(name)) {
    tell(
      `${JSON.stringify(name)} is not a step name`,
      "use letters, digits, dots, dashes, plus signs and underscores",
    );
  }
  if (!file.executable) {
    const command = shellCommand(["chmod", "+x", `${tree.shownAs}/${path}`]);
    tell("a step without the run bit", `${command}, or move it elsewhere if it is no step`);
  }
  // A compiled program needs none.
  if (!file.head.startsWith("\x7fELF")) checkShebang(file.head, tell);
  return problems;
}

function checkShebang(head: string, tell: (message: string, hint: string) => void): void {
  const [line = ""] = head.split("\n", 1);
  if (line.startsWith("\xef\xbb\xbf#!")) {
    tell(
      "a step that begins with a byte order mark, which hides its shebang",
      "save it as UTF-8 without a mark",
    );
  } else if (!line.startsWith("#!")) {
    tell("a step without a shebang", "begin it with #!/bin/sh");
  } else if (line.endsWith("\r")) {
    tell("a step with Windows line ends: its interpreter would not be found", "save it with LF line ends");
  } else if (!/^#![ \t]*\/\S/.test(line)) {
    tell(`a shebang without an interpreter's absolute path: ${line}`, "begin it with #!/bin/sh");
  }
}
