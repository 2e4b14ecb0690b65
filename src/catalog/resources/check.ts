import { didYouMean } from "../../base/nearest.ts";
import type { Declaration } from "../schema.ts";
import type { YamlPath } from "../yaml.ts";

type Tell = (path: YamlPath, message: string, hint?: string) => void;

/** Checks what the schema cannot: the keys of each resource together, and the resources among each other. */
export function checkResources(declaration: Declaration, tell: Tell): void {
  checkNames("groups", declaration.groups, tell);
  checkNames("users", declaration.users, tell);
  for (const [index, source] of declaration.sources.entries()) checkSource(source, ["sources", index], tell);
  for (const [index, file] of declaration.files.entries()) {
    checkFile(file, Object.keys(declaration.parameters), ["files", index], tell);
  }
  checkPaths(
    "sources",
    declaration.sources.map(({ to }) => to),
    "to",
    tell,
  );
  checkPaths(
    "files",
    declaration.files.map(({ path }) => path),
    "path",
    tell,
  );
  checkTimers(declaration, tell);
  checkRestarts(declaration, tell);
}

/** Each is a line of the file that systemd reads, and its placeholders are parameters. */
function checkTimers({ timers, parameters }: Declaration, tell: Tell): void {
  const known = Object.keys(parameters);
  const seen = new Set<string>();
  for (const [index, { name, env }] of timers.entries()) {
    if (seen.has(name)) tell(["timers", index, "name"], `timers: ${name} is declared twice`, "keep one");
    seen.add(name);
    for (const [variable, value] of Object.entries(env)) {
      const path = ["timers", index, "env", variable];
      if (/[\n\0]/.test(String(value))) {
        tell(path, `${variable} has a line end or a NUL character in it`, "give it in a file");
      }
      for (const placeholder of placeholders(String(value))) {
        if (known.includes(placeholder)) continue;
        const hint = didYouMean(placeholder, known) || "declare it under parameters";
        tell(path, `${variable} has {{${placeholder}}}, and there is no such parameter`, hint);
      }
    }
  }
}

function checkNames(
  key: "groups" | "users",
  list: readonly (string | { readonly name: string })[],
  tell: Tell,
): void {
  const seen = new Set<string>();
  for (const [index, entry] of list.entries()) {
    const name = typeof entry === "string" ? entry : entry.name;
    if (seen.has(name)) tell([key, index], `${key}: ${name} is listed twice`, "keep one");
    seen.add(name);
  }
}

function checkPaths(key: string, paths: readonly string[], member: string, tell: Tell): void {
  const seen = new Set<string>();
  for (const [index, path] of paths.entries()) {
    if (seen.has(path)) tell([key, index, member], `${key}: ${path} is declared twice`, "keep one");
    seen.add(path);
  }
}

/** The keys of these that are given, in words. */
function given(entry: Readonly<Record<string, unknown>>, keys: readonly string[]): string[] {
  return keys.filter((key) => entry[key] !== undefined);
}

function checkSource(source: Declaration["sources"][number], path: YamlPath, tell: Tell): void {
  const { url, sha256, to } = source;
  const found = given(source, ["url", "file"]);
  if (found.length !== 1) {
    const message =
      found.length === 0
        ? `the archive for ${to} has neither url nor file`
        : `the archive for ${to} has both url and file`;
    tell(path, message, "give one of them");
  }
  if (url !== undefined && sha256 === undefined) {
    tell(
      path,
      `the archive ${url} has no sha256, so nobody would notice another one`,
      "sha256sum FILE shows it",
    );
  }
}

function checkFile(
  file: Declaration["files"][number],
  parameters: readonly string[],
  path: YamlPath,
  tell: Tell,
): void {
  const found = given(file, ["content", "source", "link"]);
  if (found.length !== 1) {
    const message =
      found.length === 0
        ? `${file.path} has no content, source or link`
        : `${file.path} has ${found.join(" and ")}`;
    tell(path, message, "give one of content, source and link");
  }
  if (file.link !== undefined && file.template) {
    tell(
      [...path, "template"],
      `${file.path} is a link, which has no content to fill in`,
      "leave template out",
    );
  }
  if (file.link !== undefined && file.mode !== undefined) {
    tell([...path, "mode"], `${file.path} is a link, which has no mode of its own`, "leave mode out");
  }
  if (file.content?.includes("\0") === true) {
    tell(
      [...path, "content"],
      `the content of ${file.path} contains a NUL character`,
      "use a file and source",
    );
  }
  if (!file.template) return;
  for (const name of placeholders(file.content ?? "")) {
    if (parameters.includes(name)) continue;
    const hint = didYouMean(name, parameters) || "declare it under parameters";
    tell([...path, "content"], `${file.path} has {{${name}}}, and there is no such parameter`, hint);
  }
}

/** The names between double braces. */
export function placeholders(text: string): string[] {
  return [...new Set([...text.matchAll(/\{\{ *([a-z][a-z0-9_-]*) *\}\}/g)].map(([, name = ""]) => name))];
}

function checkRestarts(declaration: Declaration, tell: Tell): void {
  const { packages, files, sources, units } = declaration;
  const known = [
    ...(Array.isArray(packages) ? packages : [...packages.dnf, ...packages.apt]),
    ...files.map(({ path }) => path),
    ...sources.map(({ to }) => to),
  ];
  for (const [index, unit] of units.entries()) {
    if (typeof unit === "string") continue;
    if (unit.masked && unit.started === true) {
      tell(["units", index], `${unit.name} is masked, so it cannot be started`, "leave one of the two out");
    }
    for (const [place, name] of unit.restartOn.entries()) {
      if (known.includes(name)) continue;
      const message = `${unit.name} restarts on ${name}, which is no file, package or archive of this service`;
      tell(["units", index, "restartOn", place], message, didYouMean(name, known) || undefined);
    }
  }
}
