// How long `bake-ami plan` takes for a catalog of 1,000 services with 5,000 requirements, as a whole process: median
// of some runs, beside a bare `node -e 0`. The aim is less than 500 ms.
// Run after `npm run build`: node bench/plan.mjs [runs]
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const services = 1000;
const requirements = 5;
const runs = Number(process.argv[2] ?? "15");

/** Each service requires five of those before it, installs something, and has a step of init and of update. */
function generate(project) {
  for (let number = 0; number < services; number += 1) {
    const directory = join(project, "services", `s${number}`);
    const required = new Set();
    for (let step = 1; step <= requirements && number >= step; step += 1) {
      // Near and far ones, so that there are both long chains and wide fans.
      required.add(`s${step % 2 === 0 ? Math.floor(number / (step + 1)) : number - step}`);
    }
    for (let other = number - 1; other >= 0 && required.size < requirements; other -= 1)
      required.add(`s${other}`);
    const files = {
      "service.yaml": `description: service number ${number}
requires: [${[...required].join(", ")}]
packages: {dnf: [package-${number % 200}], apt: [package-${number % 200}, tool-${number % 50}]}
units:
  - unit-${number}.service
parameters:
  port: {default: ${8000 + number}, description: port to listen on}
timeout: 5m
`,
      "init/10-install.sh": `#!/bin/sh\nset -eu\necho "init of ${number}"\n`,
      "update/10-configure.sh": `#!/bin/sh\nset -eu\necho "update of ${number}"\n`,
    };
    for (const [path, text] of Object.entries(files)) {
      const file = join(directory, path);
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, text, { mode: path.endsWith(".sh") ? 0o755 : 0o644 });
    }
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const project = mkdtempSync(join(tmpdir(), "bake-ami-bench-"));
try {
  generate(project);
  const cli = join(import.meta.dirname, "..", "dist", "cli.js");
  const last = `s${services - 1}`;
  const commands = {
    "node -e 0": ["-e", "0"],
    "bake-ami plan": [cli, "plan", last, "--project", project],
    "bake-ami plan --json": [cli, "plan", last, "--project", project, "--json"],
  };
  const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  for (let run = 0; run < runs; run += 1) {
    for (const [name, args] of Object.entries(commands)) {
      const start = process.hrtime.bigint();
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
      if (status !== 0) throw new Error(`${name} ended with status ${status}: ${stderr}`);
      times[name].push(Number(process.hrtime.bigint() - start) / 1e6);
    }
  }
  console.log(`${services} services, ${services * requirements} requirements, median of ${runs} runs`);
  for (const [name, list] of Object.entries(times)) {
    console.log(`${name.padEnd(22)}${median(list).toFixed(0).padStart(6)} ms`);
  }
} finally {
  rmSync(project, { recursive: true, force: true });
}
