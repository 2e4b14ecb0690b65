import type { Listener } from "../../report/events.ts";

/** What has been copied. */
export interface CopyCounts {
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly bytes: number;
}

/** Between two words about how far it is, in milliseconds. */
const pauseMs = 100;

/** Counts what is copied and tells it, not more often than anybody can read. */
export class CopyProgress {
  readonly #listener: Listener;
  readonly #counts = { file: 0, directory: 0, link: 0 };
  #bytes = 0;
  #total = 0;
  #toldAt = 0;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** A file of so many bytes is to be copied. */
  found(size: number): void {
    this.#total += size;
  }

  moved(count: number, path: string): void {
    this.#bytes += count;
    const at = Date.now();
    if (at - this.#toldAt < pauseMs) return;
    this.#toldAt = at;
    this.#tell(at, path);
  }

  finished(kind: "file" | "directory" | "link", path: string, bytes: number): void {
    this.#counts[kind] += 1;
    this.#listener({ type: "copied", at: Date.now(), kind, path, bytes });
  }

  warn(message: string): void {
    this.#listener({ type: "warning", at: Date.now(), message });
  }

  /** The last word, and the sums. */
  finish(): CopyCounts {
    this.#tell(Date.now(), "");
    const { file, directory, link } = this.#counts;
    return { files: file, directories: directory, links: link, bytes: this.#bytes };
  }

  #tell(at: number, path: string): void {
    const [bytes, total] = [this.#bytes, Math.max(this.#bytes, this.#total)];
    this.#listener({ type: "copying", at, path, bytes, total, files: this.#counts.file });
  }
}
