/** A response as a value: a list becomes one `<item>` per entry, undefined becomes nothing at all. */
export type XmlValue =
  string | number | boolean | Date | undefined | readonly XmlValue[] | NamedList | XmlObject;

/** One of the few lists whose entries have another name than `<item>`. */
export class NamedList {
  readonly itemName: string;
  readonly items: readonly XmlValue[];

  constructor(itemName: string, items: readonly XmlValue[]) {
    this.itemName = itemName;
    this.items = items;
  }
}

export interface XmlObject {
  readonly [name: string]: XmlValue;
}

/** One XML document. */
export function xmlDocument(root: string, namespace: string | undefined, content: XmlObject): string {
  const attribute = namespace === undefined ? "" : ` xmlns="${escape(namespace)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${children(content)}</${root}>`;
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  const content = isList(value)
    ? value.map((item) => element("item", item)).join("")
    : value instanceof NamedList
      ? value.items.map((item) => element(value.itemName, item)).join("")
      : inner(value);
  return `<${name}>${content}</${name}>`;
}

function inner(value: string | number | boolean | Date | XmlObject): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? children(value) : escape(String(value));
}

function children(content: XmlObject): string {
  return Object.entries(content)
    .map(([name, value]) => element(name, value))
    .join("");
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\r": "&#13;",
};

/** Text for XML 1.0, which has no way at all to write most control characters: those are left out. */
function escape(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replaceAll(/[&<>\r]/g, (character) => entities[character] ?? "");
}
