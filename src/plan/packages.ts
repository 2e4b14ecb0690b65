import { byText } from "../catalog/names.ts";
import type { PackageManager } from "../catalog/service.ts";
import type { Plan } from "./plan.ts";

/** The packages of all services of a plan, each once, sorted: what one transaction installs. */
export function mergedPackages(plan: Plan): Record<PackageManager, string[]> {
  const of = (manager: PackageManager): string[] => {
    const names = new Set(plan.services.flatMap(({ service }) => service.packages[manager]));
    return [...names].sort(byText);
  };
  return { dnf: of("dnf"), apt: of("apt") };
}
