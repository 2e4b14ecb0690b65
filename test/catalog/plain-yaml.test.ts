import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { parsePlainYaml } from "../../src/catalog/plain-yaml.ts";
import { randomNumbers } from "../support/random.ts";

/** What the full parser makes of a text; undefined when it objects. */
function fully(text: string): { value: unknown } | undefined {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length + document.warnings.length > 0) return undefined;
  const value: unknown = document.toJS();
  return { value };
}

const plain: Readonly<Record<string, string>> = {
  empty: "",
  comments: "# one\n\n   # two\n",
  scalars: "a: text\nb: 80\nc: true\nd: false\ne: null\nf:\ng: 0\n",
  "text that looks like something else": "a: yes\nb: 10m\nc: v1.2.3\nd: /etc/x\ne: a, b [c] {d}\nf: a:b\n",
  "flow lists": "a: []\nb: [x]\nc: [x, y z, 3, true]\nd: [ x , y ]\ne: [[a], []]\n",
  "flow mappings": "a: {}\nb: {c: d}\ne: { c: 1, f: [x, {g: h}] }\n",
  quotes: 'a: "x: y#z"\nb: \'x\'\nc: [\'x, y\', "]"]\nd: {e: "}"}\n',
  "block lists": "a:\n  - x\n  - y z\nb:\n- x\n- 2\nc: d\n",
  "lists of mappings": "a:\n  - b: c\n    d: e\n  - b: f\n  - {b: g}\n",
  "nested mappings": "a:\n  b:\n    c: d\n  e: f\ng: h\n",
  "comments after values": "a: b # c\nd: # e\n  f: g\nh: x#y\n",
  "other scripts": "a: die Überprüfung, 検査\n",
  "a list at the top": "- a\n- b\n",
};

test.each(Object.entries(plain))("reads %s like the full parser", (_, text) => {
  const value = parsePlainYaml(text);
  expect(value).toBeDefined();
  expect(value).toEqual(fully(text));
});

test("the files that come with bake-ami are plain, so that the quick reader is of use", () => {
  const services = join(import.meta.dirname, "../../services");
  const files = readdirSync(services).map((name) => join(services, name, "service.yaml"));
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8"));
  expect(texts.length).toBeGreaterThanOrEqual(2);
  for (const text of texts) {
    expect(parsePlainYaml(text), text).toBeDefined();
    expect(parsePlainYaml(text)).toEqual(fully(text));
  }
});

const notPlain: Readonly<Record<string, string>> = {
  "numbers whose text matters": "a: 1.20\n",
  octals: "a: 0644\n",
  exponents: "a: 1e3\n",
  "large numbers": "a: 12345678901234567890\n",
  anchors: "a: &x b\nc: *x\n",
  tags: "a: !!str 1\n",
  "block scalars": "a: |\n  text\n",
  "text over lines": "a: b\n  c\n",
  "flow over lines": "a: [b,\n  c]\n",
  escapes: 'a: "b\\nc"\n',
  "doubled quotes": "a: 'it''s'\n",
  tabs: "a:\tb\n",
  "Windows line ends": "a: b\r\n",
  "a second document": "a: b\n---\nc: d\n",
  "a key twice": "a: b\na: c\n",
  "a key that is a constant": "null: b\n",
  "the prototype": "__proto__: {a: b}\n",
  "a colon in a text": "a: b: c\n",
  "an unclosed list": "a: [b\n",
  "an empty entry": "a: [b,,c]\nd: [,b]\n",
  "a last comma": "a: [b, ]\n",
  "a wrong bracket": "a: [b}\n",
  "a deeper line": "a: b\n  c: d\n",
  "a list in a mapping": "a: b\n- c\n",
  "a comment beside quotes": 'a: "b # c"\n',
  "a no-break space at the end": "a: b\u00a0\n",
  "a bare dash": "-\n",
  "words alone": "a b\n",
};

test.each(Object.entries(notPlain))("leaves %s to the full parser", (_, text) => {
  expect(parsePlainYaml(text)).toBeUndefined();
});

describe("agrees with the full parser, or keeps silent,", () => {
  // Texts of service files with characters and lines put in, taken out and moved: most are near misses.
  const pieces = [
    " ",
    "  ",
    "\n",
    "\n  ",
    "- ",
    ": ",
    ":",
    ",",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "#",
    " #",
    "|",
    ">",
  ];
  const words = [
    "&a",
    "*a",
    "!x",
    "?",
    "@",
    "%",
    "~",
    "0",
    "1.0",
    "true",
    "null",
    "\\",
    "é",
    "---",
    "a",
    "\t",
    ".",
  ];
  const parts = [...pieces, ...words];

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("on 2,000 texts changed at random (seed %i)", (seed) => {
    const random = randomNumbers(seed);
    const seeds = [...Object.values(plain), ...Object.values(plain), ...Object.values(notPlain)];
    let understood = 0;
    for (let round = 0; round < 2000; round++) {
      let text = seeds[random(seeds.length)] ?? "";
      for (let change = random(3); change >= 0; change--) {
        const at = random(text.length + 1);
        text = text.slice(0, at) + (parts[random(parts.length)] ?? "") + text.slice(at + random(3));
      }
      const value = parsePlainYaml(text);
      if (value === undefined) continue;
      understood++;
      expect(value, JSON.stringify(text)).toEqual(fully(text));
    }
    // Else the test would say nothing.
    expect(understood).toBeGreaterThan(150);
  });
});
