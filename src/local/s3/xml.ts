import { malformedXml } from "./errors.ts";

/** A reply as a value: a list is the element again and again, undefined is nothing at all. */
export type XmlContent =
  | string
  | number
  | boolean
  | Date
  | undefined
  | readonly XmlContent[]
  | { readonly [name: string]: XmlContent };

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** One document; errors have no namespace. */
export function s3Document(root: string, content: XmlContent): string {
  const attribute = root === "Error" ? "" : ` xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${inner(content)}</${root}>`;
}

function element(name: string, content: XmlContent): string {
  if (content === undefined) return "";
  if (isList(content)) return content.map((item) => element(name, item)).join("");
  return `<${name}>${inner(content)}</${name}>`;
}

function inner(content: XmlContent): string {
  if (content === undefined || isList(content)) return "";
  if (content instanceof Date) return content.toISOString();
  if (typeof content !== "object") return escaped(String(content));
  return Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join("");
}

function isList(content: XmlContent): content is readonly XmlContent[] {
  return Array.isArray(content);
}

const named: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** S3 writes control characters as references, though XML 1.0 has no way to write them: `encoding-type=url` has. */
function escaped(text: string): string {
  return text.replaceAll(
    /[&<>"\u0000-\u0008\u000b-\u001f\ufffe\uffff]/g,
    (character) => named[character] ?? `&#x${character.charCodeAt(0).toString(16)};`,
  );
}

/** An element of a document, of which attributes and white space between elements do not matter. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

interface OpenElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const token =
  /<\?[^>]*\?>|<!--[^]*?-->|<(?<close>\/)?(?:[\w.-]+:)?(?<name>[\w.-]+)(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(?<empty>\/)?>|(?<text>[^<]+)/y;

/**
 * Parses what clients send: elements, text and the entities that XML itself has. Nothing is fetched or expanded.
 * @throws S3Error `MalformedXML`
 */
export function parseXml(document: string): XmlElement {
  const top: OpenElement = { name: "", children: [], text: "" };
  const stack: OpenElement[] = [top];
  const text = document.replace(/^\ufeff/, "");
  token.lastIndex = 0;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const groups = token.exec(text)?.groups;
    if (groups === undefined) throw malformedXml();
    const current = stack.at(-1) ?? top;
    const { close, name, empty, text: run } = groups;
    if (run !== undefined) current.text += unescaped(run);
    else if (name === undefined)
      continue; // A declaration or a comment.
    else if (close !== undefined) {
      if (stack.length < 2 || current.name !== name) throw malformedXml();
      stack.pop();
      stack.at(-1)?.children.push(current);
    } else if (empty !== undefined) current.children.push({ name, children: [], text: "" });
    else stack.push({ name, children: [], text: "" });
  }
  const [root, second] = top.children;
  if (root === undefined || second !== undefined || stack.length !== 1 || top.text.trim() !== "") {
    throw malformedXml();
  }
  return root;
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));|&/g,
    (_, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return entities[name] ?? fail();
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : fail();
    },
  );
}

function fail(): never {
  throw malformedXml();
}

/** The text of the one child of this name, or undefined. @throws S3Error `MalformedXML` when there are several */
export function childText(parent: XmlElement, name: string): string | undefined {
  const found = parent.children.filter((child) => child.name === name);
  if (found.length > 1) throw malformedXml();
  return found[0]?.text;
}
