// What the boot hook itself takes: 0, 10, 50 and 200 services in chains of five whose update does nothing, on a real systemd
// machine (systemd-nspawn) with a metadata service beside it. Medians of some runs: from the hook's start until the machine is
// ready, and until the hook is over (its log is written then). The aim is at most 0.2 s and 5 ms a service.
// As root, with what the tests of phases/ need: node bench/hook.mjs [runs] [services...]; on a computer that has other work,
// with `chrt --fifo 1` before that, so that the other work is not in the figures.
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const runs = Number(process.argv[2] ?? "5");
const counts = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [0, 10, 50, 200];
const root = join(import.meta.dirname, "..");

/** The machines are those of the tests, which are TypeScript. */
async function testMachines() {
  const directory = join(root, "node_modules/.cache/bake-ami", `bench-${process.pid}`);
  await mkdir(directory, { recursive: true });
  const outfile = join(directory, "support.mjs");
  await build({
    stdin: {
      contents: 'export * from "./test/phases/support.ts"; export * from "./test/phases/metadata.ts";',
      resolveDir: root,
    },
    bundle: true,
    format: "esm",
    platform: "node",
    mainFields: ["module", "main"],
    // As scripts/build.mjs has it.
    external: ["cpu-features", "./crypto/build/Release/sshcrypto.node"],
    loader: { ".node": "empty" },
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url); globalThis.__dirname ??= import.meta.dirname;',
    },
    outfile,
    logLevel: "error",
    plugins: [
      {
        name: "places",
        setup: ({ onLoad }) => {
          onLoad({ filter: /\/test\/.*\.ts$/ }, async ({ path }) => ({
            contents: (await readFile(path, "utf8")).replaceAll(
              "import.meta.dirname",
              JSON.stringify(dirname(path)),
            ),
            loader: "ts",
          }));
        },
      },
    ],
  });
  const support = await import(pathToFileURL(outfile).href);
  await rm(directory, { recursive: true });
  return support;
}

const { fakeMetadata, machineWith, Project, runPhase } = await testMachines();
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

console.log("services   ready s   over s   aim s   (medians of", runs, "runs)");
for (const count of counts) {
  const files = { "services/base/service.yaml": "{}\n" };
  for (let index = 0; index < count; index += 1) {
    files[`services/s${index}/update.sh`] = "#!/bin/sh\nexit 0\n";
    files[`services/s${index}/service.yaml`] = index % 5 === 0 ? "{}\n" : `requires: [s${index - 1}]\n`;
  }
  const project = new Project(files);
  const metadata = await fakeMetadata();
  const machine = await machineWith(project.plan());
  const wanted = ["base", ...Array.from({ length: count }, (_, index) => `s${index}`)];
  await runPhase(machine, "init", ["--metadata", metadata.url, ...wanted]);
  const ready = [];
  const over = [];
  for (let run = 0; run < runs; run += 1) {
    const times = await hookOnce(machine);
    ready.push(times.ready);
    over.push(times.over);
  }
  await machine[Symbol.asyncDispose]();
  await metadata[Symbol.asyncDispose]();
  project[Symbol.dispose]();
  const figures = [median(ready), median(over), 0.2 + 0.005 * count].map((each) =>
    each.toFixed(2).padStart(8),
  );
  console.log(`${String(count).padStart(8)}  ${figures.join(" ")}`);
}

/** Runs the hook as a boot does; in seconds. */
async function hookOnce(machine) {
  const answer = await machine.run(
    "rm -rf /run/bake-ami/launch; cut -d ' ' -f 1 /proc/uptime; systemctl start bake-ami-update.service; cut -d ' ' -f 1 /proc/uptime; sleep 0.2",
    "",
    300,
  );
  const [start, end] = answer.trim().split("\n").map(Number);
  const said = (await machine.console()).split("\n").findLast((line) => line.includes("bake-ami: times "));
  return {
    ready: Number(/ ready=(\S+)/.exec(said)[1]) - Number(/ hook=(\S+)/.exec(said)[1]),
    over: end - start,
  };
}
