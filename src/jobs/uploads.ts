import { realpath, stat } from "node:fs/promises";
import { basename, isAbsolute, normalize, resolve } from "node:path";
import { BakeError } from "../base/errors.ts";

/** A file or directory of this computer, and where it goes below the job's working directory. */
export interface Upload {
  readonly kind: "file" | "directory";
  /** With links followed. */
  readonly source: string;
  /** Relative, with forward slashes. */
  readonly target: string;
  /** Whether to make it a program whatever its mode is here. */
  readonly isCommand: boolean;
}

export interface UploadPlan {
  /** The command as it must be given on the machine. */
  readonly command: readonly string[];
  readonly uploads: readonly Upload[];
}

/**
 * Works out what goes to the machine: the command's first word when it is a file here, and the other paths. What is below
 * the working directory keeps its path; anything else comes to lie in the job's working directory by its name.
 * @param directory the working directory
 * @throws BakeError `usage` for what is not there, or two things of one name
 */
export async function planUploads(
  directory: string,
  command: readonly string[],
  paths: readonly string[],
): Promise<UploadPlan> {
  const [first = "", ...rest] = command;
  const program = await findProgram(directory, first);
  const others = await Promise.all(paths.map((path) => mustFind(directory, path)));
  const uploads = program === undefined ? others : [program, ...others];
  checkTargets(uploads);
  return { command: program === undefined ? command : [`./${program.target}`, ...rest], uploads };
}

/** A word without a slash is a program of the machine's, unless there is one of that name here that can be run. */
async function findProgram(directory: string, word: string): Promise<Upload | undefined> {
  const found = await find(directory, word);
  if (!word.includes("/"))
    return found?.kind === "file" && found.canRun ? { ...found.upload, isCommand: true } : undefined;
  if (found?.kind === "file") return { ...found.upload, isCommand: true };
  // A path that begins at the root may well be the machine's.
  if (found === undefined && isAbsolute(word)) return undefined;
  const what = found === undefined ? `there is no file ${word} here` : `${word} is a directory`;
  throw new BakeError("usage", `${what}, so it cannot be run`, {
    hint: "the command's file is uploaded from here; a program of the machine's is named without a slash, or with its whole path",
  });
}

async function mustFind(directory: string, path: string): Promise<Upload> {
  const found = await find(directory, path);
  if (found !== undefined) return found.upload;
  throw new BakeError("usage", `--upload ${path}: there is no such file or directory`);
}

interface Found {
  readonly kind: "file" | "directory";
  readonly canRun: boolean;
  readonly upload: Upload;
}

async function find(directory: string, path: string): Promise<Found | undefined> {
  if (path === "") return undefined;
  try {
    const source = await realpath(resolve(directory, path));
    const { mode, ...stats } = await stat(source).then((is) => ({
      mode: is.mode,
      isFile: is.isFile(),
      isDirectory: is.isDirectory(),
    }));
    if (!stats.isFile && !stats.isDirectory) {
      throw new BakeError("usage", `${path} is neither a file nor a directory, so it cannot be uploaded`);
    }
    const kind = stats.isFile ? "file" : "directory";
    const target = targetOf(directory, path);
    return { kind, canRun: (mode & 0o111) !== 0, upload: { kind, source, target, isCommand: false } };
  } catch (error) {
    if (error instanceof BakeError) throw error;
    return undefined;
  }
}

function targetOf(directory: string, path: string): string {
  const relative = normalize(path).replaceAll("\\", "/").replace(/\/+$/, "");
  const isBelow = !isAbsolute(path) && relative !== ".." && !relative.startsWith("../");
  if (relative === ".") return ".";
  return isBelow ? relative : basename(resolve(directory, path));
}

function checkTargets(uploads: readonly Upload[]): void {
  const sources = new Map<string, string>();
  for (const { source, target } of uploads) {
    const other = sources.get(target);
    if (other !== undefined && other !== source) {
      throw new BakeError("usage", `${other} and ${source} would both become ${target} on the machine`, {
        hint: "put them into one directory and upload that",
      });
    }
    sources.set(target, source);
  }
}
