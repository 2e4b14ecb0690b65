import type { Verb } from "./context.ts";
import { withReachOptions } from "./on-machine.ts";

export const cpVerb: Verb = (parser, context) =>
  parser.command(
    "cp <paths..>",
    "copy files to and from machines: cp <from...> <to>, where a machine's are <machine>:/path",
    (y) =>
      withReachOptions(y)
        .positional("paths", {
          type: "string",
          array: true,
          demandOption: true,
          describe: "files or directories, the last one where they go",
        })
        .example("bake-ami cp results latest:/srv/data", "a directory to the newest machine")
        .example("bake-ami cp latest:/var/log/app.log latest:conf .", "a file and a directory from it"),
    async (argv) => {
      const [{ runSession }, { copyPaths }, { formatBytes }] = await Promise.all([
        import("./session.ts"),
        import("./cp-paths.ts"),
        import("../report/lines.ts"),
      ]);
      await runSession(argv, context, async ({ listener, signal }) => {
        const startedAt = Date.now();
        const counts = await copyPaths(argv, context, argv.paths, listener, signal);
        const seconds = (Date.now() - startedAt) / 1000;
        const files = `${counts.files} file${counts.files === 1 ? "" : "s"}`;
        const message = `copied ${files}, ${formatBytes(counts.bytes)} in ${seconds.toFixed(1)} s`;
        listener({ type: "note", at: Date.now(), message });
        return { text: "", value: counts };
      });
    },
  );
