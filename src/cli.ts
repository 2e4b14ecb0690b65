#!/usr/bin/env node
import yargs, { type Argv } from "yargs";
import { hideBin } from "yargs/helpers";
import { BakeError, exitStatusOf } from "./base/errors.ts";
import { applyVerb } from "./commands/apply.ts";
import { attachVerb } from "./commands/attach.ts";
import { bakeVerb } from "./commands/bake.ts";
import { cleanupVerb } from "./commands/cleanup.ts";
import { withGlobalOptions, type Context, type GlobalOptions, type Verb } from "./commands/context.ts";
import { cpVerb } from "./commands/cp.ts";
import { deployVerb } from "./commands/deploy.ts";
import { doctorVerb } from "./commands/doctor.ts";
import { writeError } from "./commands/error-lines.ts";
import { launchVerb } from "./commands/launch.ts";
import { localVerb } from "./commands/local.ts";
import { logsVerb } from "./commands/logs.ts";
import { lsVerb } from "./commands/ls.ts";
import { planVerb } from "./commands/plan.ts";
import { pushVerb } from "./commands/push.ts";
import { rolloutVerb } from "./commands/rollout.ts";
import { runVerb } from "./commands/run.ts";
import { newVerb, servicesVerb } from "./commands/services.ts";
import { spellOutSpot } from "./commands/spot-words.ts";
import { sshVerb } from "./commands/ssh.ts";
import { explainSystemError } from "./commands/system-errors.ts";
import { templateVerb } from "./commands/template.ts";
import { terminateVerb } from "./commands/terminate.ts";
import { checkValues, usageError, withNearestVerb } from "./commands/usage-errors.ts";
import { verifyVerb } from "./commands/verify.ts";

const verbs: readonly Verb[] = [
  bakeVerb,
  planVerb,
  pushVerb,
  servicesVerb,
  newVerb,
  launchVerb,
  runVerb,
  attachVerb,
  lsVerb,
  logsVerb,
  sshVerb,
  cpVerb,
  terminateVerb,
  applyVerb,
  verifyVerb,
  deployVerb,
  templateVerb,
  rolloutVerb,
  cleanupVerb,
  doctorVerb,
  localVerb,
];

// The SDK tells on stderr which Node it will need some day; that is our business, not the user's.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

const abort = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (abort.signal.aborted) {
      process.stderr.write(
        "bake-ami: still cleaning up; `bake-ami cleanup` ends what is left if you cannot wait\n",
      );
      return;
    }
    abort.abort(new BakeError("interrupted", `interrupted by ${name}`));
    process.stderr.write("\nbake-ami: interrupted; ending what was started\n");
  });
}
// A reader that has had enough (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const context: Context = {
  signal: abort.signal,
  // Opened only by those who ask something.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingDirectory: process.cwd(),
  setStatus: (status) => {
    process.exitCode = status;
  },
};

/** What the parser complains of, in its own words. */
class NotUnderstood extends Error {}

const words = spellOutSpot(hideBin(process.argv));
try {
  await parse(words);
} catch (thrown) {
  const error = withNearestVerb(explainSystemError(thrown, process.env), words);
  writeError(error, words, context);
  process.exitCode = exitStatusOf(error);
}

async function parse(args: readonly string[]): Promise<void> {
  const base: Argv = yargs([...args]);
  let parser: Argv<GlobalOptions> = withGlobalOptions(
    base
      .scriptName("bake-ami")
      // What the parser says is read here, so it must say it in one language.
      .locale("en")
      .usage("$0 <services...>   bake an image that has these services\n$0 <verb> ...      anything else")
      .parserConfiguration({
        "populate--": true,
        "duplicate-arguments-array": true,
        // `--with a b`: b is no second value.
        "greedy-arrays": false,
      })
      .wrap(Math.min(110, process.stdout.columns || 110)),
    context,
  );
  for (const verb of verbs) parser = verb(parser, context);
  try {
    await parser
      .strict()
      .middleware(checkValues, true)
      .exitProcess(false)
      .epilogue("Docs: README.md and docs/. Without an AWS account: `bake-ami local setup`, then --local.")
      .fail((message: string | null, error: unknown) => {
        throw error instanceof Error ? error : new NotUnderstood(message ?? "");
      })
      .parseAsync();
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    const options = (await parser.getHelp()).match(/--[a-z][a-z-]*/g) ?? [];
    throw usageError(error.message, args, options);
  }
}
