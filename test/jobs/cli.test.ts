import { expect, test } from "vitest";
import { bakeAmi } from "../support/cli.ts";
import { Project } from "../support/project.ts";

test.each<[string, string[], string]>([
  ["without a command", ["run", "web"], "say what to run, after --"],
  ["without an image", ["run", "--", "true"], "say what to launch"],
  ["with several machines", ["run", "web", "--count", "2", "--", "true"], "--count"],
  ["with a file that is not there", ["run", "web", "--", "./none.sh"], "there is no file ./none.sh here"],
  ["with an upload that is not there", ["run", "web", "--upload", "none", "--", "true"], "--upload none"],
  ["with a time that is none", ["run", "web", "--max-time", "soon", "--", "true"], "--max-time soon"],
  ["with a bucket that is none", ["run", "web", "--log", "bucket", "--", "true"], "--log bucket"],
  ["with an output that cannot be", ["run", "web", "--output", "none/x", "--", "true"], "--output"],
  ["attach to nothing", ["attach"], "whose job"],
])("run and attach %s: nothing is started", async (_, words, message) => {
  using project = new Project({ "services/web/update.sh": "#!/bin/sh\n" });
  const env = { BAKE_AMI_DATA_DIR: project.directory };
  const cut = words.indexOf("--");
  const own = cut < 0 ? words : words.slice(0, cut);
  const result = await bakeAmi([...own, "--local", ...words.slice(own.length)], {
    cwd: project.directory,
    env,
  });
  expect(result.stderr).toContain(message);
  expect([result.status, result.stdout]).toEqual([2, ""]);
});
