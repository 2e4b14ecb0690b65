/** What a name in a directory stands for. */
export type EntryKind = "file" | "directory" | "link" | "other";

export interface Entry {
  readonly kind: EntryKind;
  /** In bytes. */
  readonly size: number;
  /** The permission bits alone: what runs with another's rights is not carried from one machine to another. */
  readonly mode: number;
  /** Seconds since the epoch, as SFTP counts them. */
  readonly accessedAt: number;
  readonly modifiedAt: number;
}

/** A file that is open, read or written at any place of it. */
export interface OpenFile {
  /** Fills as much of `buffer` as the file has from `position` on; fewer bytes than asked for only at its end. */
  read(buffer: Buffer, position: number): Promise<number>;
  write(bytes: Buffer, position: number): Promise<void>;
  /** Sets the permissions and times that it keeps. */
  setAttributes(entry: Entry): Promise<void>;
  close(): Promise<void>;
}

/**
 * The files of this computer, or of a machine. Paths have forward slashes; one that is not absolute begins where the
 * side's user does: in the working directory here, in the home directory there.
 *
 * Every method throws a BakeError `failed` that names the file and what is wrong with it.
 */
export interface Side {
  /** The path as a person would give it to `cp`. */
  describe(path: string): string;
  /** What is there, or undefined for nothing; with `follow` what a link leads to. */
  look(path: string, follow: boolean): Promise<Entry | undefined>;
  /** Where a path leads in the end, links followed. */
  resolve(path: string): Promise<string>;
  /** The names in a directory, without those of itself and its parent. */
  list(path: string): Promise<string[]>;
  openToRead(path: string): Promise<OpenFile>;
  /**
   * Makes a file that nobody else may read yet; fails when there is something.
   * @param shown the path that errors name
   */
  create(path: string, shown: string): Promise<OpenFile>;
  /** Makes a directory that nobody else may enter yet. */
  makeDirectory(path: string): Promise<void>;
  setAttributes(path: string, entry: Entry): Promise<void>;
  readLink(path: string): Promise<string>;
  makeLink(target: string, path: string, shown: string): Promise<void>;
  /** In place of what is there, in one go. */
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
}

/** The bits of a mode that are kept. */
export const keptBits = 0o777;

/** The path of a name in a directory; an empty directory is where one is. */
export function within(directory: string, name: string): string {
  if (directory === "") return name;
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}

/** The last name in a path, or an empty text for `/`, `.`, `..` and what ends with them. */
export function lastName(path: string): string {
  const name = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return name === "." || name === ".." ? "" : name;
}

/** The directory that a path's last name is in. */
export function parentOf(path: string): string {
  const whole = path.replace(/\/+$/, "");
  const slash = whole.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : whole.slice(0, slash);
}
