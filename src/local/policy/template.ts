/*
 * The strings of a policy: `*` and `?` are wildcards where the element allows them, and `${name}` is a policy variable.
 * (IAM User Guide, "IAM policy elements: Variables and tags")
 */

/** A run of characters to be taken as they are, or one wildcard. */
export type Token = { readonly text: string } | { readonly wildcard: "*" | "?" };

/** The values of policy variables; the names in lower case. */
export type Variables = ReadonlyMap<string, string>;

const variable = /\$\{([^{}]*)\}/g;

/** The names of the policy variables in a string, the escapes `${*}`, `${?}` and `${$}` left out. */
export function variablesIn(template: string): string[] {
  return [...template.matchAll(variable)]
    .map((match) => match[1] ?? "")
    .filter((name) => !["*", "?", "$"].includes(name));
}

/**
 * A string of a policy with its variables filled in. What comes from a variable is never a wildcard.
 * @returns undefined when a variable has no value: then nothing matches
 */
export function expand(template: string, variables: Variables): Token[] | undefined {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of template.matchAll(variable)) {
    tokens.push(...wildcardsIn(template.slice(end, match.index)));
    end = match.index + match[0].length;
    const name = match[1] ?? "";
    const value = ["*", "?", "$"].includes(name) ? name : variables.get(name.toLowerCase());
    if (value === undefined) return undefined;
    tokens.push({ text: value });
  }
  tokens.push(...wildcardsIn(template.slice(end)));
  return tokens;
}

function wildcardsIn(text: string): Token[] {
  return text
    .split(/([*?])/)
    .filter((part) => part !== "")
    .map((part) => (part === "*" || part === "?" ? { wildcard: part } : { text: part }));
}

/** The string itself, for operators to which `*` and `?` are letters like any other. */
export function plainText(tokens: readonly Token[]): string {
  return tokens.map((token) => ("text" in token ? token.text : token.wildcard)).join("");
}

/** Whether a value is like the pattern, as a whole. */
export function isLike(tokens: readonly Token[], value: string, caseSensitive = true): boolean {
  const source = tokens
    .map((token) => {
      if ("text" in token) return token.text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
      return token.wildcard === "*" ? "[^]*" : "[^]";
    })
    .join("");
  return new RegExp(`^${source}$`, caseSensitive ? "" : "i").test(value);
}

/** The six parts of an ARN are compared one by one; only the last may hold further colons. */
const arnParts = 6;

/** Whether a text has the form of an ARN, wildcards and variables included. */
export function isArnPattern(template: string): boolean {
  const parts = template.replaceAll(variable, "v").split(":");
  return parts.length >= arnParts && parts[0] === "arn";
}

/** Whether an ARN is like the pattern, part by part: a wildcard does not reach over a colon. */
export function isArnLike(tokens: readonly Token[], arn: string): boolean {
  const patterns = splitParts(tokens);
  const [...parts] = arn.split(":");
  const values = [...parts.slice(0, arnParts - 1), parts.slice(arnParts - 1).join(":")];
  return (
    patterns.length === values.length &&
    patterns.every((pattern, index) => isLike(pattern, values[index] ?? ""))
  );
}

function splitParts(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (!("text" in token)) {
      parts.at(-1)?.push(token);
      continue;
    }
    const pieces = token.text.split(":");
    const free = arnParts - parts.length;
    const own = pieces.slice(0, free);
    const rest = pieces.slice(free).join(":");
    for (const [index, text] of [...own, ...(pieces.length > free ? [rest] : [])].entries()) {
      if (index > 0) parts.push([]);
      if (text !== "") parts.at(-1)?.push({ text });
    }
  }
  return parts;
}
