import type { Verb } from "./context.ts";

export const doctorVerb: Verb = (parser, context) =>
  parser.command(
    "doctor",
    "what is missing on this computer or in this account, with the fix",
    (y) => y,
    async (argv) => {
      const [{ writeResult }, checks] = await Promise.all([import("./session.ts"), import("./checks.ts")]);
      const results = await checks.runChecks(argv, context);
      const missing = results.filter(({ problem }) => problem !== undefined);
      const text = results
        .map(({ name, found, problem, fix }) =>
          problem === undefined
            ? `ok       ${name}: ${found}`
            : `missing  ${name}: ${problem}${fix === undefined ? "" : `\n         fix: ${fix}`}`,
        )
        .join("\n");
      writeResult(argv, context, { text, value: results, status: missing.length === 0 ? 0 : 2 });
    },
  );
