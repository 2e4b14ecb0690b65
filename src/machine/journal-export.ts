/** One entry of the journal: its fields, as bytes, because a step may print anything. */
export type JournalEntry = ReadonlyMap<string, Buffer>;

/**
 * Reads the journal's export format from pieces of any size. An entry is a run of fields up to an empty line; a field
 * is `NAME=text` on a line, or `NAME`, a little-endian 64-bit size, that many bytes and a line end when the value is
 * not plain text. (systemd's "Journal Export Formats")
 */
export class JournalExportParser {
  #pending: Buffer = Buffer.alloc(0);
  #entry = new Map<string, Buffer>();

  /** Takes the next piece and returns the entries that it completes. */
  push(chunk: Buffer): JournalEntry[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const entries: JournalEntry[] = [];
    let offset = 0;
    for (;;) {
      const next = this.#readField(offset);
      if (next === undefined) break;
      if (next.field === undefined) {
        if (this.#entry.size > 0) entries.push(this.#entry);
        this.#entry = new Map();
      } else this.#entry.set(next.field.name, next.field.value);
      offset = next.end;
    }
    this.#pending = this.#pending.subarray(offset);
    return entries;
  }

  /** The field (or the empty line) at `offset`, or undefined while it is not yet whole. */
  #readField(
    offset: number,
  ): { field: { name: string; value: Buffer } | undefined; end: number } | undefined {
    const buffer = this.#pending;
    const lineEnd = buffer.indexOf(0x0a, offset);
    if (lineEnd < 0) return undefined;
    if (lineEnd === offset) return { field: undefined, end: lineEnd + 1 };
    const equals = buffer.indexOf(0x3d, offset);
    if (equals >= 0 && equals < lineEnd) {
      const name = buffer.toString("latin1", offset, equals);
      return { field: { name, value: Buffer.from(buffer.subarray(equals + 1, lineEnd)) }, end: lineEnd + 1 };
    }
    if (buffer.length < lineEnd + 9) return undefined;
    const size = Number(buffer.readBigUInt64LE(lineEnd + 1));
    const start = lineEnd + 9;
    if (buffer.length < start + size + 1) return undefined;
    const name = buffer.toString("latin1", offset, lineEnd);
    return {
      field: { name, value: Buffer.from(buffer.subarray(start, start + size)) },
      end: start + size + 1,
    };
  }
}
