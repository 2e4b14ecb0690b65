// A reader of the plain part of YAML in which nearly every service file is written: block mappings and lists,
// one-line flow lists and mappings, plain and quoted one-line scalars, comments. A full YAML parser takes 0.25 ms
// for such a file in a fresh process, which is half of the time that a catalog of 1,000 services may take; this one
// takes a hundredth of that. Whatever is not plainly plain, and whatever is wrong, makes it answer undefined:
// then the full parser reads the file, and finds the places for messages. So it decides nothing, and a test holds
// it against the full parser.

class NotPlain extends Error {}

interface Line {
  readonly indent: number;
  readonly text: string;
}

/** Anything but line ends, ASCII, and letters of other scripts; no blank of Unicode is let through. */
const unusual = /[^\n\x20-\x7e\u00a1-\u167f\u2010-\u2027\u3040-\ud7ff]/;
const keyed = /^([A-Za-z][A-Za-z0-9_-]*):(?: +(.*))?$/;
const constants: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/**
 * The value of a plain YAML text.
 * @returns undefined for a text that needs the full parser; `{ value: null }` for an empty one
 */
export function parsePlainYaml(text: string): { readonly value: unknown } | undefined {
  if (unusual.test(text)) return undefined;
  try {
    return { value: new PlainParser(linesOf(text)).document() };
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (const raw of text.split("\n")) {
    let line = raw.trimEnd();
    const content = line.trimStart();
    if (content === "" || content.startsWith("#")) continue;
    const indent = line.length - content.length;
    const comment = line.indexOf(" #");
    if (comment >= 0) {
      // Within quotes it may be no comment at all.
      if (/["']/.test(line)) throw new NotPlain();
      line = line.slice(0, comment).trimEnd();
    }
    lines.push({ indent, text: line.slice(indent) });
  }
  return lines;
}

class PlainParser {
  readonly #lines: Line[];
  #next = 0;

  constructor(lines: Line[]) {
    this.#lines = lines;
  }

  document(): unknown {
    const first = this.#lines[0];
    if (first === undefined) return null;
    if (first.indent !== 0) throw new NotPlain();
    const value = this.#block(0);
    if (this.#next < this.#lines.length) throw new NotPlain();
    return value;
  }

  #block(indent: number): unknown {
    const first = this.#at(indent);
    return first !== undefined && isItem(first) ? this.#list(indent) : this.#mapping(indent);
  }

  #list(indent: number): unknown[] {
    const list: unknown[] = [];
    for (let line = this.#at(indent); line !== undefined && isItem(line); line = this.#at(indent)) {
      const rest = line.text.slice(2);
      if (line.text.length < 3 || rest.startsWith(" ") || isItem({ indent, text: rest }))
        throw new NotPlain();
      if (keyed.test(rest)) {
        // A mapping that begins on the line of its dash goes on two columns further in.
        this.#lines[this.#next] = { indent: indent + 2, text: rest };
        list.push(this.#mapping(indent + 2));
      } else {
        this.#next++;
        list.push(inlineValue(rest));
      }
    }
    return list;
  }

  #mapping(indent: number): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    let line = this.#at(indent);
    for (; line !== undefined && !isItem(line); line = this.#at(indent)) {
      const [, key, rest] = keyed.exec(line.text) ?? [];
      if (key === undefined || isConstant(key) || Object.hasOwn(mapping, key)) throw new NotPlain();
      this.#next++;
      mapping[key] = rest === undefined || rest === "" ? this.#nested(indent) : inlineValue(rest);
    }
    return mapping;
  }

  /** The value of a key with nothing after its colon: a deeper block, a list at the key's own column, or nothing. */
  #nested(indent: number): unknown {
    const line = this.#lines[this.#next];
    if (line === undefined || line.indent < indent) return null;
    if (line.indent === indent) return isItem(line) ? this.#list(indent) : null;
    if (!isItem(line) && !keyed.test(line.text)) throw new NotPlain();
    return this.#block(line.indent);
  }

  /** The next line when it belongs to the block of this indent; a deeper one is something that is not plain. */
  #at(indent: number): Line | undefined {
    const line = this.#lines[this.#next];
    if (line === undefined || line.indent < indent) return undefined;
    if (line.indent > indent) throw new NotPlain();
    return line;
  }
}

function isItem({ text }: Line): boolean {
  return text === "-" || text.startsWith("- ");
}

function isConstant(text: string): boolean {
  return /^(?:true|false|null)$/i.test(text);
}

/** What stands after a key or a dash on the same line. */
function inlineValue(text: string): unknown {
  const first = text.charAt(0);
  if (first === "[" || first === "{" || first === '"' || first === "'") return new FlowParser(text).whole();
  if (text.includes(": ") || text.endsWith(":")) throw new NotPlain();
  return plainScalar(text);
}

/** A scalar without quotes by the YAML 1.2 core schema, where its kind is beyond doubt. */
function plainScalar(text: string): unknown {
  if (!/^[A-Za-z0-9/_]/.test(text)) throw new NotPlain();
  if (isConstant(text)) {
    if (!constants.has(text)) throw new NotPlain();
    return constants.get(text);
  }
  if (/^(?:0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  // Other numbers (1.20, 0x1f, 1e3) go to the full parser, which keeps the text they were written in.
  if (/^[0-9][0-9a-fA-FoxX.+-]*$/.test(text)) throw new NotPlain();
  return text;
}

// Sticky: each matches where the parser stands. Made once, because making one costs more than using it.
const doubleQuoted = /"([^"\\]*)"/y;
const singleQuoted = /'([^']*)'/y;
const flowWords = /([A-Za-z0-9/_][A-Za-z0-9/_.@+-]*(?: +[A-Za-z0-9/_.@+-]+)*)/y;
const flowKey = /([A-Za-z][A-Za-z0-9_-]*): +/y;
const openList = /(\[) */y;
const closeList = /(\]) */y;
const openMapping = /(\{) */y;
const closeMapping = /(\}) */y;
const commaOrClose = / *([\]},]) */y;

/** Flow lists and mappings, and quoted texts, on one line. */
class FlowParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): unknown {
    const value = this.#value();
    if (this.#position !== this.#text.length) throw new NotPlain();
    return value;
  }

  #value(): unknown {
    switch (this.#text.charAt(this.#position)) {
      case "[":
        return this.#list();
      case "{":
        return this.#mapping();
      case '"':
        return this.#match(doubleQuoted);
      case "'":
        return this.#match(singleQuoted);
      default:
        return plainScalar(this.#match(flowWords));
    }
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    this.#match(openList);
    if (this.#exec(closeList) !== null) return list;
    do list.push(this.#value());
    while (this.#goesOn("]"));
    return list;
  }

  #mapping(): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    this.#match(openMapping);
    if (this.#exec(closeMapping) !== null) return mapping;
    do {
      const key = this.#match(flowKey);
      if (isConstant(key) || Object.hasOwn(mapping, key)) throw new NotPlain();
      mapping[key] = this.#value();
    } while (this.#goesOn("}"));
    return mapping;
  }

  /** Passes the comma before the next entry, or the closing bracket. */
  #goesOn(bracket: string): boolean {
    const found = this.#match(commaOrClose);
    if (found !== bracket && found !== ",") throw new NotPlain();
    return found === ",";
  }

  #match(pattern: RegExp): string {
    const [, found] = this.#exec(pattern) ?? [];
    if (found === undefined) throw new NotPlain();
    return found;
  }

  #exec(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#position = pattern.lastIndex;
    return match;
  }
}
