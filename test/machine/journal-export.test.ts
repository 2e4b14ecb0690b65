import { describe, expect, test } from "vitest";
import { JournalExportParser, type JournalEntry } from "../../src/machine/journal-export.ts";

function binaryField(name: string, value: Buffer): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, value, Buffer.from("\n")]);
}

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const stream = Buffer.concat([
  Buffer.from("__CURSOR=s=1;i=1\nMESSAGE=hello = world\n\n"),
  Buffer.from("__CURSOR=s=1;i=2\n"),
  binaryField("MESSAGE", everyByte),
  Buffer.from("_SYSTEMD_UNIT=a.service\n\n"),
  Buffer.from("__CURSOR=s=1;i=3\nMESSAGE=\n\n"),
  Buffer.from("__CURSOR=s=1;i=4\nMESSAGE=not yet whole\n"),
]);

function parse(sizes: (offset: number) => number): JournalEntry[] {
  const parser = new JournalExportParser();
  const entries: JournalEntry[] = [];
  for (let offset = 0; offset < stream.length;) {
    const size = Math.max(1, sizes(offset));
    entries.push(...parser.push(stream.subarray(offset, offset + size)));
    offset += size;
  }
  return entries;
}

describe("journal export format", () => {
  test.each([1, 2, 3, 7, 64, 100_000])("in pieces of %d bytes", (size) => {
    const entries = parse(() => size);
    expect(entries.map((entry) => entry.get("__CURSOR")?.toString())).toEqual([
      "s=1;i=1",
      "s=1;i=2",
      "s=1;i=3",
    ]);
    expect(entries[0]?.get("MESSAGE")?.toString()).toBe("hello = world");
    expect(entries[1]?.get("MESSAGE")).toEqual(everyByte);
    expect(entries[1]?.get("_SYSTEMD_UNIT")?.toString()).toBe("a.service");
    expect(entries[2]?.get("MESSAGE")?.length).toBe(0);
  });

  test("an entry counts only once it is whole", () => {
    const parser = new JournalExportParser();
    expect(parser.push(Buffer.from("MESSAGE=a\n"))).toEqual([]);
    expect(parser.push(Buffer.from("\n"))).toHaveLength(1);
    expect(parser.push(Buffer.from("\n"))).toEqual([]);
  });
});
