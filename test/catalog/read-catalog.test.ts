import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatProblems, readCatalog, type Catalog, type CatalogResult } from "../../src/catalog/index.ts";
import { verbs } from "../../src/commands/verbs.ts";
import { Project } from "../support/project.ts";

const repository = join(import.meta.dirname, "../..");

function read(project: Project, builtInDirectory = join(project.directory, "none")): CatalogResult {
  return readCatalog({
    projectDirectory: project.directory,
    builtInDirectory,
    workingDirectory: project.directory,
    verbs: [],
  });
}

function catalogOf(result: CatalogResult): Catalog {
  if ("problems" in result) throw new Error(formatProblems(result.problems).join("\n"));
  return result.catalog;
}

function problemsOf(result: CatalogResult): string[] {
  return "problems" in result ? formatProblems(result.problems) : [];
}

test("bake-ami's own checkout is a project whose services are the built-in ones", () => {
  const options = { projectDirectory: repository, builtInDirectory: join(repository, "services"), verbs };
  const catalog = catalogOf(readCatalog(options));
  expect([...catalog.services.keys()]).toContain("base");
  expect([...catalog.services.values()].every(({ builtIn }) => builtIn)).toBe(true);
  expect(catalog.globalSteps).toBeUndefined();
});

test("an empty project is an empty catalog", () => {
  using project = new Project();
  expect(catalogOf(read(project)).services.size).toBe(0);
});

test("a project directory that is not there", () => {
  const options = { projectDirectory: "nowhere", builtInDirectory: "none", workingDirectory: "/", verbs: [] };
  expect(problemsOf(readCatalog(options))).toEqual([
    "nowhere: no such project directory",
    "    start in the project, or say where it is",
  ]);
});

test("a file's run bit is its owner's, and its digest that of its content, however large", () => {
  using project = new Project({ "services/web/files/small": "small", "services/web/files/empty": "" });
  const path = join(project.directory, "services/web/files/large");
  const large = Buffer.alloc(256 * 1024 * 3 + 17, "0123456789");
  writeFileSync(path, large);
  writeFileSync(`${path}-exact`, large.subarray(0, 256 * 1024));
  chmodSync(path, 0o744);
  chmodSync(join(project.directory, "services/web/files/small"), 0o655);
  const sum = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
  const files = catalogOf(read(project)).services.get("web")?.files ?? [];
  expect(files.map((file) => [file.path, file.executable, file.size, file.sha256])).toEqual([
    ["files/empty", false, 0, sum("")],
    ["files/large", true, large.length, sum(large)],
    ["files/large-exact", false, 256 * 1024, sum(large.subarray(0, 256 * 1024))],
    ["files/small", false, 5, sum("small")],
  ]);
});

test("a service file of more than a read's size", () => {
  const comment = `${"#".repeat(99)}\n`.repeat(4000);
  using project = new Project({ "services/web/service.yaml": `${comment}description: at the end\n` });
  expect(catalogOf(read(project)).services.get("web")?.description).toBe("at the end");
});

test("what is neither file nor directory is told, and does not block", () => {
  using project = new Project({ "services/web/init.sh": "#!/bin/sh\n" });
  mkdirSync(join(project.directory, "services/web/files"));
  execFileSync("mkfifo", [join(project.directory, "services/web/files/pipe")]);
  expect(problemsOf(read(project))).toEqual([
    "services/web/files/pipe: neither a file nor a directory",
    "    remove it: a service is made of files",
  ]);
});

test("names that differ only in case are one name", (context) => {
  using project = new Project({ "services/web/init.sh": "#!/bin/sh\n" });
  if (existsSync(join(project.directory, "services/WEB")))
    context.skip("this disk ignores the case of names");
  project.write("services/Web/init.sh", "#!/bin/sh\n");
  expect(problemsOf(read(project))).toEqual([
    'services/Web: "Web" is not a service name',
    "    rename the directory to web",
    "services/web: two services are named web: this one and services/Web",
    "    rename or remove one of them",
  ]);
});

test("what may not be read is told", (context) => {
  if (process.getuid?.() === 0) context.skip("root may read everything");
  using project = new Project({
    "services/web/files/secret": "x",
    "services/api/init/10-a.sh": "#!/bin/sh\n",
  });
  chmodSync(join(project.directory, "services/web/files/secret"), 0);
  chmodSync(join(project.directory, "services/api/init"), 0);
  expect(problemsOf(read(project))).toEqual([
    "services/api/init: cannot be read: permission denied",
    "services/web/files/secret: cannot be read: permission denied",
  ]);
  chmodSync(join(project.directory, "services/api/init"), 0o755);
});

test("an empty step directory is fine; a dead link beside services is no service", () => {
  using project = new Project();
  mkdirSync(join(project.directory, "services/web/init"), { recursive: true });
  symlinkSync("nowhere", join(project.directory, "services/link"));
  expect([...catalogOf(read(project)).services.keys()]).toEqual(["web"]);
});

test("places are relative to the working directory only where that is shorter", () => {
  using project = new Project({ "services/web/service.yaml": "colour: red\n" });
  const options = { projectDirectory: project.directory, builtInDirectory: "/none", verbs: [] };
  const [near] = problemsOf(
    readCatalog({ ...options, workingDirectory: join(project.directory, "services") }),
  );
  const [far] = problemsOf(readCatalog({ ...options, workingDirectory: "/a/b/c/d/e/f/g/h/i/j/k/l/m/n" }));
  expect(near).toBe("web/service.yaml:1: unknown key colour");
  expect(far).toBe(`${project.directory}/services/web/service.yaml:1: unknown key colour`);
});

test("problems for a person", () => {
  const lines = formatProblems([
    { file: "a", line: 3, message: "wrong", hint: "mend it" },
    { file: "b", line: undefined, message: "worse", hint: undefined },
  ]);
  expect(lines).toEqual(["a:3: wrong", "    mend it", "b: worse"]);
});
