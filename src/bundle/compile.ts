import {
  packageManagers,
  phases,
  type GlobalSteps,
  type ServiceFile,
  type Step,
} from "../catalog/service.ts";
import type { Plan, PlannedService } from "../plan/plan.ts";
import { declaredLists, stepsOf } from "./declared.ts";
import { dropIns } from "./drop-ins.ts";
import { parameterLists } from "./parameters.ts";

/** A file of the bundle: its content, or the file on this computer that has it. */
export interface Entry {
  /** Below the bundle's root, with `/`. */
  readonly path: string;
  /** 0755 rather than 0644. */
  readonly executable: boolean;
  readonly content: string | ServiceFile;
}

const packagesStep: Step = { name: "packages", path: "resources/packages" };

/** The limits of steps that no service file can set. */
const globalLimits = { timeoutSeconds: 600, retries: 0 };
// A mirror that is slow or briefly away is no reason to lose a bake.
const packagesLimits = { timeoutSeconds: 1800, retries: 2 };

/**
 * Compiles a plan to the files that a machine gets, apart from the programs, which are the same for every plan. Pure:
 * the order of the result and everything in it depend on the plan alone.
 */
export function compile(plan: Plan): Entry[] {
  return [
    text("catalog.tsv", plan.services.map(catalogLine)),
    text("packages.tsv", plan.services.flatMap(packageLines)),
    ...plan.services.flatMap(serviceEntries),
    ...(plan.globalSteps === undefined ? [] : globalEntries(plan.globalSteps)),
    ...pseudoService("_packages", packagesLimits, { init: [packagesStep] }),
    ...dropIns(plan.services).map(({ path, lines }) => text(`units/${path}`, lines)),
  ];
}

function catalogLine({ service, digest }: PlannedService): string {
  return [service.name, digest, service.requires.length === 0 ? "-" : service.requires.join(",")].join("\t");
}

function packageLines({ service }: PlannedService): string[] {
  return packageManagers.flatMap((manager) =>
    service.packages[manager].map((name) => [service.name, manager, name].join("\t")),
  );
}

function serviceEntries(planned: PlannedService): Entry[] {
  const { service, digest } = planned;
  const root = `services/${service.name}`;
  const { env, ...lists } = parameterLists(planned);
  return [
    text(`${root}/env`, env),
    ...Object.entries(lists).flatMap(([name, lines]) =>
      lines.length === 0 ? [] : [text(`${root}/${name}`, lines)],
    ),
    limits(root, service),
    text(`${root}/digest`, [digest]),
    ...declaredLists(service).map(({ path, lines }) => text(`${root}/${path}`, lines)),
    ...phases.flatMap((phase) => stepList(root, phase, stepsOf(service, phase))),
    ...files(root, service.files),
  ];
}

/** The project's steps around all services are two more services, which nobody can require. */
function globalEntries(globalSteps: GlobalSteps): Entry[] {
  return (["before", "after"] as const).flatMap((side) => {
    const name = `_${side}`;
    const steps = Object.fromEntries(
      phases.map((phase) => [
        phase,
        globalSteps[side][phase].map((step) => ({
          name: step.name,
          path: `services/${name}/dir/${step.path}`,
        })),
      ]),
    );
    if (phases.every((phase) => globalSteps[side][phase].length === 0)) return [];
    return [
      ...pseudoService(name, globalLimits, steps),
      // A step may use any of the files beside it.
      ...files(`services/${name}`, globalSteps.files),
    ];
  });
}

function pseudoService(
  name: string,
  stepLimits: typeof globalLimits,
  steps: Readonly<Record<string, readonly Step[]>>,
): Entry[] {
  const root = `services/${name}`;
  return [
    text(`${root}/env`, []),
    limits(root, stepLimits),
    text(`${root}/digest`, ["-"]),
    ...phases.flatMap((phase) => stepList(root, phase, steps[phase] ?? [])),
  ];
}

function limits(
  root: string,
  { timeoutSeconds, retries }: { readonly timeoutSeconds: number; readonly retries: number },
): Entry {
  return text(`${root}/limits`, [`timeout=${Math.ceil(timeoutSeconds)}`, `retries=${retries}`]);
}

function stepList(root: string, phase: string, steps: readonly Step[]): Entry[] {
  if (steps.length === 0) return [];
  return [
    text(
      `${root}/steps/${phase}`,
      steps.map(({ name, path }) => `${name}\t${path}`),
    ),
  ];
}

function files(root: string, serviceFiles: readonly ServiceFile[]): Entry[] {
  return serviceFiles.map((file) => ({
    path: `${root}/dir/${file.path}`,
    executable: file.executable,
    content: file,
  }));
}

function text(path: string, lines: readonly string[]): Entry {
  return { path, executable: false, content: lines.map((line) => `${line}\n`).join("") };
}
