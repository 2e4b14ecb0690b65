import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import type { Verb } from "./context.ts";

export const servicesVerb: Verb = (parser, context) =>
  parser.command(
    "services",
    "list the services of this project and the built-in ones",
    (y) => y,
    async (argv) => {
      const { loadCatalog } = await import("./project.ts");
      const catalog = await loadCatalog(argv.project);
      const services = [...catalog.services.values()];
      if (argv.json) {
        const value = services.map(({ name, description, requires, builtIn, directory }) => ({
          name,
          description,
          requires,
          builtIn,
          directory,
        }));
        context.stdout.write(`${JSON.stringify({ type: "result", value })}\n`);
        return;
      }
      const width = Math.max(...services.map(({ name }) => name.length), 8);
      for (const { name, description, requires, builtIn } of services) {
        const notes = [
          requires.length === 0 ? "" : `requires ${requires.join(", ")}`,
          builtIn ? "built in" : "",
        ];
        const suffix = notes.filter((note) => note !== "").join("; ");
        const about = [description ?? "", suffix === "" ? "" : `(${suffix})`].filter((text) => text !== "");
        context.stdout.write(`${`${name.padEnd(width)}  ${about.join(" ")}`.trimEnd()}\n`);
      }
    },
  );

async function builtInNamed(
  name: string,
  load: () => Promise<{ readonly services: ReadonlyMap<string, { readonly builtIn: boolean }> }>,
): Promise<boolean> {
  try {
    return (await load()).services.get(name)?.builtIn === true;
  } catch (error) {
    if (error instanceof BakeError && error.kind === "catalog") return false;
    throw error;
  }
}

export const newVerb: Verb = (parser, context) =>
  parser.command(
    "new <service>",
    "make a service directory to start from",
    (y) => y.positional("service", { type: "string", demandOption: true, describe: "its name" }),
    async (argv) => {
      const [{ createService }, { verbs }, { writeResult }] = await Promise.all([
        import("../catalog/index.ts"),
        import("./verbs.ts"),
        import("./session.ts"),
      ]);
      const { loadCatalog } = await import("./project.ts");
      // Before it is made: a catalog with problems is no reason not to.
      const shadowed = await builtInNamed(argv.service, () => loadCatalog(argv.project));
      const directory = join(argv.project, "services");
      const created = createService(directory, argv.service, verbs);
      writeResult(argv, context, { text: created, value: { directory: created } });
      if (shadowed) {
        context.stderr.write(
          `warning: ${argv.service} is also a built-in service; yours now replaces it for everything that requires it\n`,
        );
      }
      if (!argv.quiet && !argv.json) {
        context.stderr.write(`edit its steps, then: bake-ami plan ${argv.service}\n`);
      }
    },
  );
