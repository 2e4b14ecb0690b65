import { describe, expect, test } from "vitest";
import { readYaml, type YamlText } from "../../src/catalog/yaml.ts";

function read(text: string): YamlText {
  const result = readYaml(new TextEncoder().encode(text));
  if ("problems" in result) throw new Error(JSON.stringify(result.problems));
  return result.yaml;
}

// The same places, whether the quick or the full parser read the text: the second has an anchor, which only the
// full one knows.
describe.each([
  ["a plain text", ""],
  ["a text for the full parser", "z: &anchor z\n"],
])("places in %s", (_, last) => {
  const yaml = read(
    `# comment\nrequires:\n  - a\n  - b\nunits:\n  - name: x\n    enabled: true\nport: {default: 80}\n${last}`,
  );

  test.each([
    [["requires"], 2],
    [["requires", 0], 3],
    [["requires", 1], 4],
    [["units", 0, "enabled"], 7],
    [["port", "default"], 8],
    [["port", "missing"], 8],
    [["missing"], 2],
    [[], 2],
  ])("%j is on line %i", (path, line) => {
    expect(yaml.lineOf(path)).toBe(line);
  });

  test("a scalar's text", () => {
    expect(yaml.textOf(["port", "default"])).toBe("80");
    expect(yaml.textOf(["requires", 1])).toBe("b");
    expect(yaml.textOf(["requires"])).toBeUndefined();
    expect(yaml.textOf(["missing", 3])).toBeUndefined();
  });
});

test("numbers keep the text that they were written in", () => {
  const yaml = read("a: &a 1.20\nb: 0x1F\nc: 1e3\nd: 007\ne: 12345678901234567890\nf: *a\n");
  const texts = ["a", "b", "c", "d", "e", "f"].map((key) => yaml.textOf([key]));
  expect(texts).toEqual(["1.20", "0x1F", "1e3", "007", "12345678901234567890", "1.20"]);
});

test("a byte order mark is no part of the text", () => {
  expect(read("\ufeffa: b\n").value).toEqual({ a: "b" });
});

test("the line of the first byte that is not UTF-8", () => {
  const bytes = Uint8Array.from([0x61, 0x0a, 0x62, 0x0a, 0xc3, 0xa9, 0x0a, 0xff, 0x0a]);
  expect(readYaml(bytes)).toEqual({
    problems: [{ line: 4, message: "not UTF-8 text", hint: "save the file in UTF-8 encoding" }],
  });
});

test("a key named like the prototype is a key", () => {
  expect(JSON.stringify(read('"__proto__": {a: b}\n').value)).toBe('{"__proto__":{"a":"b"}}');
});
