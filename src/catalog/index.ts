/** The room's door: service directories become a catalog, or a list of everything that is wrong with them. */
export { createService } from "./create-service.ts";
export { formatProblems } from "./format-problems.ts";
export { environmentName } from "./names.ts";
export { checkValue, readValue, referenceIn, type GivenValue, type Misfit } from "./parameter-value.ts";
export type { CatalogResult } from "./parse-catalog.ts";
export { readCatalog, type CatalogOptions } from "./read-catalog.ts";
export {
  packageManagers,
  phases,
  type Catalog,
  type GlobalSteps,
  type PackageManager,
  type Parameter,
  type ParameterType,
  type Phase,
  type Problem,
  type Service,
  type ServiceFile,
  type Step,
  type Unit,
} from "./service.ts";
