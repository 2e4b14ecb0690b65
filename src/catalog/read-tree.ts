import { createHash, hash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
  type Dirent,
} from "node:fs";
import { sep } from "node:path";
import { messageOf, systemCodeOf } from "../base/errors.ts";
import { byText } from "./names.ts";
import type { ServiceFile } from "./service.ts";

/** A regular file, with what the checks need of its content. */
export interface TreeFile extends ServiceFile {
  /** The first bytes, at most 256, one character each. */
  readonly head: string;
}

/** Something in a directory that cannot be taken along. */
export interface TreeProblem {
  readonly path: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** A directory as it is on disk. Paths are relative to it, with `/`. */
export interface Tree {
  readonly directory: string;
  /** The directory as a person would name it. */
  readonly shownAs: string;
  /** Sorted by path. */
  readonly files: readonly TreeFile[];
  /** All directories below, sorted. */
  readonly directories: readonly string[];
  readonly problems: readonly TreeProblem[];
  /** The content of the file that was asked for. */
  readonly kept: Uint8Array | undefined;
}

export interface TreeOptions {
  /** Absolute. */
  readonly directory: string;
  readonly shownAs: string;
  /** Whether to pass over an entry, by its path. */
  readonly ignored: (path: string) => boolean;
  /** The path of one file whose content is wanted. */
  readonly keep?: string;
}

// Synchronous calls on purpose: for thousands of small files they take a third of the time of promises, and there
// is nothing else to do meanwhile.
const buffer = Buffer.allocUnsafe(256 * 1024);

/** Reads a directory with all files below it. What cannot be read becomes a problem of the tree. */
export function readTree({ directory, shownAs, ignored, keep }: TreeOptions): Tree {
  const files: TreeFile[] = [];
  const directories: string[] = [];
  const problems: TreeProblem[] = [];
  let kept: Uint8Array | undefined;
  const tell = (path: string, message: string, hint?: string): void => {
    problems.push({ path, message, hint });
  };

  const enter = (below: string): void => {
    for (const entry of entriesOf(below)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (ignored(path)) continue;
      try {
        take(entry, path);
      } catch (error) {
        tell(path, `cannot be read: ${reasonOf(error)}`);
      }
    }
  };

  const entriesOf = (below: string): Dirent[] => {
    try {
      return readdirSync(`${directory}/${below}`, { withFileTypes: true });
    } catch (error) {
      tell(below, `cannot be read: ${reasonOf(error)}`);
      return [];
    }
  };

  const take = (entry: Dirent, path: string): void => {
    if (entry.isDirectory()) {
      directories.push(path);
      enter(path);
    } else if (entry.isFile()) {
      takeFile(path);
    } else if (entry.isSymbolicLink()) {
      takeLink(path);
    } else {
      tell(path, "neither a file nor a directory", "remove it: a service is made of files");
    }
  };

  const takeFile = (path: string): void => {
    const { file, start } = readTreeFile(directory, path);
    files.push(file);
    if (path === keep)
      kept = start.length === file.size ? Uint8Array.from(start) : readFileSync(file.absolutePath);
  };

  // The machine gets the file that a link leads to. A link out of the directory would make the service depend on
  // what lies around it on this computer, and could carry a private file into an image.
  const takeLink = (path: string): void => {
    let target: string;
    try {
      target = realpathSync(`${directory}/${path}`);
    } catch {
      tell(path, "a symbolic link that leads nowhere", "remove it or mend its target");
      return;
    }
    if (!target.startsWith(realpathSync(directory) + sep)) {
      tell(path, "a symbolic link that leaves the directory", "copy the file here instead");
    } else if (statSync(target).isFile()) takeFile(path);
    else tell(path, "a symbolic link to something that is no file", "link each file, or copy the directory");
  };

  enter("");
  return {
    directory,
    shownAs,
    kept,
    files: files.sort((a, b) => byText(a.path, b.path)),
    directories: directories.sort(byText),
    problems,
  };
}

/** @returns the file, and what of it is in the buffer until the next one is read */
function readTreeFile(directory: string, path: string): { file: TreeFile; start: Uint8Array } {
  const absolutePath = `${directory}/${path}`;
  // Not blocking, should it have become a pipe since the directory was listed.
  const descriptor = openSync(absolutePath, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { mode } = fstatSync(descriptor);
    let size = readSync(descriptor, buffer, 0, buffer.length, null);
    const start = buffer.subarray(0, size);
    const head = start.toString("latin1", 0, 256);
    let sha256: string;
    if (size < buffer.length) sha256 = hash("sha256", start, "hex");
    else {
      const summing = createHash("sha256").update(start);
      for (let count = size; count > 0; size += count) {
        count = readSync(descriptor, buffer, 0, buffer.length, null);
        summing.update(buffer.subarray(0, count));
      }
      sha256 = summing.digest("hex");
    }
    // The owner's bit, which is the one that git keeps.
    const executable = (mode & 0o100) !== 0;
    return { file: { path, absolutePath, executable, size, sha256, head }, start };
  } finally {
    closeSync(descriptor);
  }
}

/** Why the system refused, in words. */
export function reasonOf(error: unknown): string {
  switch (systemCodeOf(error)) {
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOENT":
      return "no such file or directory";
    case "ENOTDIR":
      return "not a directory";
    default:
      return messageOf(error);
  }
}
