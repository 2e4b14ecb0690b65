// How long `bake-ami --help` takes beside a bare `node -e 0`, as a ratio of medians, both in turn so that a busy
// machine hurts both. Run after `npm run build`: node bench/startup.mjs [rounds]
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const rounds = Number(process.argv[2] ?? "15");
const cli = join(import.meta.dirname, "..", "dist", "cli.js");
const commands = {
  "node -e 0": ["-e", "0"],
  "bake-ami --help": [cli, "--help"],
  "bake-ami plan": [cli, "plan", "hello-web"],
};
const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const [name, args] of Object.entries(commands)) {
    const start = process.hrtime.bigint();
    const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
    if (status !== 0) throw new Error(`${name} ended with status ${status}`);
    times[name].push(Number(process.hrtime.bigint() - start) / 1e6);
  }
}
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const base = median(times["node -e 0"]);
for (const [name, list] of Object.entries(times)) {
  console.log(
    `${name.padEnd(18)}${median(list).toFixed(0).padStart(6)} ms${(median(list) / base).toFixed(2).padStart(8)} x`,
  );
}
