/** An element of a document without attributes that matter: what the replies of AWS's XML protocols are. */
export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  /** What it holds beside its children. */
  readonly text: string;
}

interface Open {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

/** Parses a document. @throws Error when it is not well-formed, in the plain form that is expected here */
export function parseXml(document: string): Element {
  const top: Open = { name: "", children: [], text: "" };
  const stack: Open[] = [top];
  const tokens = document.replace(/^<\?xml[^>]*\?>\s*/, "").matchAll(/<(\/?)([\w:.-]+)([^<>]*)>|([^<>]+)/g);
  let end = 0;
  for (const [all, slash, name = "", , text] of tokens) {
    end += all.length;
    const current = stack.at(-1) ?? top;
    if (text !== undefined) current.text += unescaped(text);
    else if (slash === "") stack.push({ name, children: [], text: "" });
    else {
      if (current.name !== name) throw new Error(`</${name}> closes <${current.name}>`);
      stack.pop();
      (stack.at(-1) ?? top).children.push(current);
    }
  }
  const [root, second] = top.children;
  const length = document.replace(/^<\?xml[^>]*\?>\s*/, "").length;
  if (root === undefined || second !== undefined || stack.length !== 1 || end !== length) {
    throw new Error(`not one whole document: ${document.slice(0, 200)}`);
  }
  return root;
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name?: string) =>
    code === undefined ? (entities[name ?? ""] ?? "") : String.fromCodePoint(Number(code)),
  );
}
