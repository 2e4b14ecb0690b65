import { systemCodeOf } from "./errors.ts";

/** What the system says, in words. */
const meanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "it is on a file system that is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of its path is no directory",
  ELOOP: "its path leads in a circle",
  ENAMETOOLONG: "its path is too long",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
};

/** The system's word for it, or undefined for what is no trouble with a file. */
export function troubleWithFile(error: unknown): string | undefined {
  return meanings[systemCodeOf(error) ?? ""];
}
