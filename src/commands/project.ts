import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import type { Bundle } from "../bundle/bundle.ts";
import type { Catalog } from "../catalog/service.ts";
import type { Plan } from "../plan/plan.ts";
import { verbs } from "./verbs.ts";

/**
 * Reads the project's services and the built-in ones.
 * @throws BakeError `catalog` with every problem.
 */
export async function loadCatalog(projectDirectory: string): Promise<Catalog> {
  if (!(await isDirectory(projectDirectory))) {
    throw new BakeError("usage", `--project ${projectDirectory} is no directory`, {
      hint: "give the directory that has services/ in it",
    });
  }
  const { readCatalog, formatProblems } = await import("../catalog/index.ts");
  const outcome = readCatalog({
    projectDirectory,
    builtInDirectory: join(packageRoot(), "services"),
    verbs,
  });
  if ("catalog" in outcome) return outcome.catalog;
  const count = outcome.problems.length;
  throw new BakeError("catalog", `the catalog has ${count === 1 ? "a problem" : `${count} problems`}`, {
    details: formatProblems(outcome.problems),
    hint: "nothing was started",
  });
}

async function isDirectory(path: string): Promise<boolean> {
  const { stat } = await import("node:fs/promises");
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Every service of the project and the built-in ones, with the digest of all that it is; undefined when the catalog has
 * problems, which are of no interest to whoever only launches.
 */
export async function localServices(
  projectDirectory: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const catalog = await readableCatalog(projectDirectory);
  return catalog === undefined ? undefined : await digestsOf(catalog);
}

/** The catalog of the project; undefined when it has problems. */
export async function readableCatalog(projectDirectory: string): Promise<Catalog | undefined> {
  try {
    return await loadCatalog(projectDirectory);
  } catch (error) {
    if (error instanceof BakeError && error.kind === "catalog") return undefined;
    throw error;
  }
}

/** Every service of a catalog with the digest of all that it is. */
export async function digestsOf({ services }: Catalog): Promise<ReadonlyMap<string, string>> {
  const { contentDigest } = await import("../plan/index.ts");
  return new Map([...services].map(([name, service]) => [name, contentDigest(service)]));
}

/** Values for parameters as `--set` gives them: service -> parameter -> value. */
export type ParameterValues = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Reads `service.parameter=value` settings.
 * @throws BakeError `usage` for one of another form.
 */
export function readParameters(settings: readonly string[]): ParameterValues {
  const values = new Map<string, Map<string, string>>();
  for (const setting of settings) {
    const match = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(setting);
    const [, service, name, value] = match ?? [];
    if (service === undefined || name === undefined || value === undefined) {
      throw new BakeError("usage", `--set ${setting} is not of the form service.parameter=value`, {
        hint: "for example --set web.port=8080, where the service web has a parameter port",
      });
    }
    const ofService = values.get(service) ?? new Map<string, string>();
    ofService.set(name, value);
    values.set(service, ofService);
  }
  return values;
}

/**
 * The plan for these services, and the bundle of the whole catalog that a machine gets.
 * @param required which required parameters must have a value: those of init before a bake, all before an update
 * @throws BakeError `usage` for an unknown service or parameter, `catalog` for a broken catalog.
 */
export async function planAndBundle(
  projectDirectory: string,
  services: readonly string[],
  parameters: ParameterValues,
  required: "init" | "all" = "init",
): Promise<{ plan: Plan; bundle: Bundle }> {
  const catalog = await loadCatalog(projectDirectory);
  const { makePlan } = await import("../plan/index.ts");
  const plan = makePlan(catalog, { services, parameters, required });
  return { plan, bundle: await bundleOf(catalog, parameters) };
}

/**
 * The bundle of the whole catalog, for machines that have their services already.
 * @throws BakeError `usage` for an unknown service or parameter, `catalog` for a broken catalog.
 */
export async function catalogBundle(projectDirectory: string, parameters: ParameterValues): Promise<Bundle> {
  return await bundleOf(await loadCatalog(projectDirectory), parameters);
}

async function bundleOf(catalog: Catalog, parameters: ParameterValues): Promise<Bundle> {
  const [{ makePlan }, { makeBundle }] = await Promise.all([
    import("../plan/index.ts"),
    import("../bundle/index.ts"),
  ]);
  const services = [...catalog.services.keys()];
  return await makeBundle(makePlan(catalog, { services, parameters, required: "none" }));
}

/** The version of this program, from its package.json. */
export async function programVersion(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const parsed: unknown = JSON.parse(await readFile(join(packageRoot(), "package.json"), "utf8"));
  if (
    typeof parsed === "object" &&
    parsed !== null &&
    "version" in parsed &&
    typeof parsed.version === "string"
  ) {
    return parsed.version;
  }
  throw new BakeError("failed", "package.json has no version");
}
