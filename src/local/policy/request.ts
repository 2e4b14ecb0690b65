import type { QueryNode } from "../protocol/query.ts";

/* Reading a request before it is checked: what is not there, or malformed, is for the action itself to refuse. */

export type Query = Readonly<Record<string, QueryNode>>;

function nodeAt(query: QueryNode, path: string): QueryNode | undefined {
  let node: QueryNode | undefined = query;
  for (const step of path.split(".")) {
    if (node === undefined || typeof node === "string" || !Object.hasOwn(node, step)) return undefined;
    node = node[step];
  }
  return node;
}

/** The value at a path such as `MetadataOptions.HttpTokens`. */
export function textAt(query: QueryNode, path: string): string | undefined {
  const node = nodeAt(query, path);
  return typeof node === "string" ? node : undefined;
}

/** The entries of a numbered list. */
export function listAt(query: QueryNode, path: string): QueryNode[] {
  const node = nodeAt(query, path);
  return node === undefined || typeof node === "string" ? [] : Object.values(node);
}

/** The entries of a numbered list that are plain values. */
export function textsAt(query: QueryNode, path: string): string[] {
  return listAt(query, path).filter((node) => typeof node === "string");
}

export interface RequestTag {
  readonly key: string;
  /** Absent where a tag is to be deleted whatever its value. */
  readonly value: string | undefined;
}

/** The tags in a list `Tag`. */
export function tagsAt(query: QueryNode): RequestTag[] {
  return listAt(query, "Tag").flatMap((tag) => {
    const key = textAt(tag, "Key");
    return key === undefined ? [] : [{ key, value: textAt(tag, "Value") }];
  });
}

/** The tags for each type of resource that a request creates. */
export function tagSpecifications(query: Query): Map<string, RequestTag[]> {
  const found = new Map<string, RequestTag[]>();
  for (const entry of listAt(query, "TagSpecification")) {
    const type = textAt(entry, "ResourceType") ?? "";
    found.set(type, [...(found.get(type) ?? []), ...tagsAt(entry)]);
  }
  return found;
}
