import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Alias,
  type Document,
} from "yaml";
import { messageOf } from "../base/errors.ts";
import { parsePlainYaml } from "./plain-yaml.ts";

/** The way from the top of a YAML value to a place in it: keys and list positions. */
export type YamlPath = readonly PropertyKey[];

/** A YAML text that could be read. */
export interface YamlText {
  /** Plain values: objects, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** The line (from 1) of a key, or of a list's entry; of the nearest thing around it when there is no such place. */
  readonly lineOf: (path: YamlPath) => number;
  /** A scalar exactly as it is written, so that `1.20` is not 1.2. */
  readonly textOf: (path: YamlPath) => string | undefined;
}

export interface YamlProblem {
  readonly line: number | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads a YAML text: one document in UTF-8, YAML 1.2. */
export function readYaml(
  bytes: Uint8Array,
): { readonly yaml: YamlText } | { readonly problems: readonly YamlProblem[] } {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return {
      problems: [
        { line: firstBadLine(bytes), message: "not UTF-8 text", hint: "save the file in UTF-8 encoding" },
      ],
    };
  }
  const plain = parsePlainYaml(text);
  if (plain === undefined) return readFully(text);
  // Places are asked for only when something is wrong, so the slow parser is not needed until then.
  let places: Places | undefined;
  const found = (): Places => (places ??= placesIn(parse(text)));
  return {
    yaml: {
      value: plain.value,
      lineOf: (path) => found().lineOf(path),
      textOf: (path) => plainTextOf(at(plain.value, path)),
    },
  };
}

type Places = Omit<YamlText, "value">;

interface Parsed {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

function parse(text: string): Parsed {
  const lines = new LineCounter();
  return { document: parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines };
}

function readFully(
  text: string,
): { readonly yaml: YamlText } | { readonly problems: readonly YamlProblem[] } {
  const parsed = parse(text);
  const { document, lines } = parsed;
  const problems = new Map<number, YamlProblem>();
  // One slip often gives a row of errors; the first of a line is the one to mend.
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const line = lines.linePos(pos[0]).line;
    if (!problems.has(line)) problems.set(line, { line, ...inPlainWords(code, message) });
  }
  if (problems.size > 0) return { problems: [...problems.values()] };
  const loose = aliasWithoutAnchor(document);
  if (loose !== undefined) {
    const message = `malformed YAML: *${loose.source} stands for nothing`;
    const hint = `put &${loose.source} before the value that it stands for, further up`;
    return { problems: [{ line: lines.linePos(loose.range?.[0] ?? 0).line, message, hint }] };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return { yaml: { ...placesIn(parsed), value } };
  } catch (error) {
    // Aliases that multiply without end.
    const message = `malformed YAML: ${messageOf(error)}`;
    return { problems: [{ line: undefined, message, hint: undefined }] };
  }
}

function aliasWithoutAnchor(document: Document.Parsed): Alias | undefined {
  let found: Alias | undefined;
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return undefined;
      found = alias;
      return visit.BREAK;
    },
  });
  return found;
}

function inPlainWords(code: string, message: string): Pick<YamlProblem, "message" | "hint"> {
  switch (code) {
    case "DUPLICATE_KEY":
      return { message: "malformed YAML: the same key twice in one mapping", hint: "keep one of them" };
    case "TAB_AS_INDENT":
      return { message: "malformed YAML: a tab in the indentation", hint: "indent with spaces" };
    case "MULTIPLE_DOCS":
      return {
        message: "malformed YAML: more than one document",
        hint: "a service file is one: remove the --- line",
      };
    case "TAG_RESOLVE_FAILED":
      return { message: `malformed YAML: ${message}`, hint: "remove the word with the exclamation mark" };
    case "BLOCK_AS_IMPLICIT_KEY":
      return {
        message: `malformed YAML: ${message}`,
        hint: "mend the indentation, or put quotes around a text that contains a colon",
      };
    default:
      return {
        message: `malformed YAML: ${message}`,
        hint: message.startsWith("Flow ") ? "close the bracket that was opened further up" : undefined,
      };
  }
}

function placesIn({ document, lines }: Parsed): Places {
  return {
    lineOf: (path) => lines.linePos(findIn(document, path).place).line,
    textOf: (path) => {
      const { node } = findIn(document, path);
      return isScalar(node) ? (node.source ?? String(node.value)) : undefined;
    },
  };
}

/**
 * Follows a path as far as it leads.
 * @returns the node at its end, and the offset of the last key or list entry that was met
 */
function findIn(document: Document.Parsed, path: YamlPath): { node: unknown; place: number } {
  let node: unknown = document.contents;
  let place = document.contents?.range[0] ?? 0;
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document);
    let mark: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      mark = pair?.key;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      mark = node;
    } else return { node: undefined, place };
    if (isNode(mark) && mark.range) place = mark.range[0];
  }
  if (isAlias(node)) node = node.resolve(document);
  return { node, place };
}

/** What stands at a path in a plain value; undefined where it leads nowhere. */
export function at(value: unknown, path: YamlPath): unknown {
  let here = value;
  for (const segment of path) {
    if (typeof here !== "object" || here === null) return undefined;
    here = Object.getOwnPropertyDescriptor(here, segment)?.value;
  }
  return here;
}

function plainTextOf(value: unknown): string | undefined {
  if (typeof value === "object") return undefined;
  // The plain reader lets only such numbers through as are written the way they print.
  return typeof value === "string" ? value : JSON.stringify(value);
}

function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    try {
      utf8.decode(bytes.subarray(start, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) break;
    start = end + 1;
  }
  return line;
}
