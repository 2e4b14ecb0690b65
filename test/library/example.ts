import { writeFile } from "node:fs/promises";
import { Cloud, launchMachine } from "bake-ami";

const [service = "web", allowed = "203.0.113.7/32"] = process.argv.slice(2);

await using machine = await launchMachine({
  cloud: new Cloud({}),
  from: [service],
  allow: [allowed],
  listener: (event) => {
    if (event.type === "stage-finished") console.error(`${event.stage}: ${event.durationMs} ms`);
  },
});
console.log(`${machine.id} at ${machine.address}: update ${machine.outcome?.result ?? "none"}`);

await writeFile("numbers", "3\n1\n2\n");
await machine.push("numbers", "numbers");
const { stdout, status } = await machine.run("sort -n numbers | tee sorted | wc -l");
console.log(`status ${status}, ${stdout.trim()} lines`);
await machine.pull("sorted", "sorted");
// Here the machine ends, whatever has happened before.
