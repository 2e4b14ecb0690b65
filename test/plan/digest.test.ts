import { chmodSync, renameSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contentDigest, makePlan } from "../../src/plan/index.ts";
import { Project } from "../support/project.ts";
import { catalogOf } from "./catalogs.ts";

const declaration = `description: web server
requires: [base]
packages: {dnf: [nginx, curl], apt: [nginx-light]}
units: [nginx.service, {name: x.timer, enabled: false}]
parameters:
  port: {default: 80, description: the port}
  token: {description: without a value}
timeout: 5m
retries: 1
`;

const files: Readonly<Record<string, string>> = {
  "services/web/service.yaml": declaration,
  "services/web/init/10-a.sh": "#!/bin/sh\necho a\n",
  "services/web/init/20-b.sh": "#!/bin/sh\necho b\n",
  "services/web/update/10-u.sh": "#!/bin/sh\necho u\n",
  "services/web/verify.sh": "#!/bin/sh\necho v\n",
  "services/web/files/app.conf": "listen 80\n",
  "services/web/lib/common": "helper\n",
  "services/web/README.md": "for people\n",
  "services/base/init.sh": "#!/bin/sh\necho base\n",
  "services/other/init.sh": "#!/bin/sh\necho other\n",
  "services/app/service.yaml": "requires: [web]\n",
  "phases/init/before/10-g.sh": "#!/bin/sh\necho g\n",
  "phases/update/after/10-h.sh": "#!/bin/sh\necho h\n",
};

/** Digests of all services, and of the whole as `plan`. */
function digestsOf(project: Project, port?: string): ReadonlyMap<string, string> {
  const catalog = catalogOf(project);
  const parameters = new Map(port === undefined ? [] : [["web", new Map([["port", port]])]]);
  const plan = makePlan(catalog, { services: [...catalog.services.keys()], parameters });
  return new Map([
    ...plan.services.map((it) => [it.service.name, it.digest] as const),
    ["plan", plan.digest],
  ]);
}

function replace(from: string, to: string): (project: Project) => void {
  if (!declaration.includes(from)) throw new Error(`${from} is not in the file`);
  return (project) => {
    project.write("services/web/service.yaml", declaration.replace(from, to));
  };
}

const write =
  (path: string, text: string) =>
  (project: Project): void => {
    project.write(path, text);
  };

const mode =
  (path: string, bits: number) =>
  (project: Project): void => {
    chmodSync(join(project.directory, path), bits);
  };

/** What depends on web: its own digest, that of what requires it, and the whole. */
const ofWeb = ["app", "plan", "web"];

const changes: readonly (readonly [string, (project: Project) => void, readonly string[]])[] = [
  ["nothing at all", () => undefined, []],
  // what init does
  ["an init step's content", write("services/web/init/10-a.sh", "#!/bin/sh\necho A\n"), ofWeb],
  ["a new init step", write("services/web/init/30-c.sh", "#!/bin/sh\n"), ofWeb],
  [
    "an init step's name",
    ({ directory }) => {
      renameSync(join(directory, "services/web/init/10-a.sh"), join(directory, "services/web/init/30-a.sh"));
    },
    ofWeb,
  ],
  [
    "an init step removed",
    ({ directory }) => {
      rmSync(join(directory, "services/web/init/20-b.sh"));
    },
    ofWeb,
  ],
  ["a file's content", write("services/web/files/app.conf", "listen 81\n"), ofWeb],
  ["a file's run bit", mode("services/web/files/app.conf", 0o755), ofWeb],
  ["a new file", write("services/web/files/.htaccess", ""), ofWeb],
  ["a file of one's own directory", write("services/web/lib/common", "other\n"), ofWeb],
  ["a package more", replace("[nginx, curl]", "[nginx, curl, jq]"), ofWeb],
  ["a package moved to the other manager", replace("apt: [nginx-light]", "apt: [nginx-light, curl]"), ofWeb],
  ["a unit's state", replace("enabled: false", "enabled: true"), ofWeb],
  ["a unit more", replace("[nginx.service,", "[nginx.service, y.socket,"), ofWeb],
  ["a parameter's default", replace("default: 80", "default: 81"), ofWeb],
  ["a parameter that gets a value", replace("{description: without a value}", "{default: x}"), ofWeb],
  ["a parameter's name", replace("port:", "gate:"), ofWeb],
  ["a requirement more", replace("[base]", "[base, other]"), ofWeb],
  ["a requirement less", replace("requires: [base]\n", ""), ofWeb],
  ["what a requirement does", write("services/base/init.sh", "#!/bin/sh\n"), ["app", "base", "plan", "web"]],
  ["what a dependent does", write("services/app/init.sh", "#!/bin/sh\n"), ["app", "plan"]],
  ["a service that stands alone", write("services/other/init.sh", "#!/bin/sh\n"), ["other", "plan"]],
  ["a global init step", write("phases/init/before/10-g.sh", "#!/bin/sh\n"), ["plan"]],
  ["a new global init step", write("phases/init/after/10-g.sh", "#!/bin/sh\n"), ["plan"]],
  // what it does not do
  ["the description", replace("web server", "a web server"), []],
  ["a parameter's description", replace("the port", "a port"), []],
  ["a parameter without a value", replace("  token:", "  other: {}\n  token:"), []],
  ["the timeout", replace("5m", "6m"), []],
  ["the retries", replace("retries: 1", "retries: 2"), []],
  ["a comment, other quotes", replace("requires: [base]", "requires: # more\n  - 'base'"), []],
  ["the same default as a text", replace("default: 80", 'default: "80"'), []],
  ["the order of packages", replace("[nginx, curl]", "[curl, nginx]"), []],
  [
    "the order of parameters",
    replace(
      "  port: {default: 80, description: the port}\n  token: {description: without a value}\n",
      "  token: {}\n  port: {default: 80}\n",
    ),
    [],
  ],
  ["an update step", write("services/web/update/10-u.sh", "#!/bin/sh\n"), []],
  ["a new update step", write("services/web/update/20-u.sh", "#!/bin/sh\n"), []],
  ["the verify step", write("services/web/verify.sh", "#!/bin/sh\n"), []],
  ["a global update step", write("phases/update/after/10-h.sh", "#!/bin/sh\n"), []],
  ["a new global verify step", write("phases/verify/after/10-h.sh", "#!/bin/sh\n"), []],
  ["the read-me", write("services/web/README.md", "other\n"), []],
  ["a backup among steps", write("services/web/init/10-a.sh~", "old\n"), []],
  ["a hidden file", write("services/web/.editorconfig", "x\n"), []],
  ["bits that do not matter", mode("services/web/files/app.conf", 0o600), []],
  ["run bits of others", mode("services/web/init/10-a.sh", 0o700), []],
  [
    "times",
    ({ directory }) => {
      utimesSync(join(directory, "services/web/init/10-a.sh"), 1, 1);
    },
    [],
  ],
];

test.each(changes)("%s", (_, change, expected) => {
  using project = new Project(files);
  const before = digestsOf(project);
  change(project);
  const after = digestsOf(project);
  const changed = [...before.keys()].filter((name) => before.get(name) !== after.get(name));
  expect(changed.sort()).toEqual(expected);
});

test("a value that is given counts like a default", () => {
  using project = new Project(files);
  const standard = digestsOf(project);
  expect(digestsOf(project, "80")).toEqual(standard);
  const other = digestsOf(project, "8080");
  expect([...standard.keys()].filter((name) => standard.get(name) !== other.get(name)).sort()).toEqual(ofWeb);
});

test("two places on disk give the same digests, of 16 hex characters", () => {
  using one = new Project(files);
  using other = new Project(Object.fromEntries(Object.entries(files).reverse()));
  const digests = digestsOf(one);
  expect(digestsOf(other)).toEqual(digests);
  for (const digest of digests.values()) expect(digest).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(digests.values()).size).toBe(digests.size);
});

test("the digest of all that a service is changes with every phase, and not with what is passed over", () => {
  using project = new Project(files);
  const digest = (): string => {
    const web = catalogOf(project).services.get("web");
    return web === undefined ? "none" : contentDigest(web);
  };
  const before = digest();
  expect(before).toMatch(/^[0-9a-f]{8}$/);
  project.write("services/other/init.sh", "#!/bin/sh\necho changed\n");
  project.write(
    "services/web/service.yaml",
    declaration.replace("description: web server", "description: x"),
  );
  expect(digest()).toBe(before);
  const seen = new Set([before]);
  for (const change of [
    write("services/web/update/10-u.sh", "#!/bin/sh\necho changed\n"),
    write("services/web/verify.sh", "#!/bin/sh\necho changed\n"),
    replace("default: 80", "default: 81"),
    replace("retries: 1", "retries: 2"),
  ]) {
    change(project);
    seen.add(digest());
  }
  expect(seen.size).toBe(5);
});
