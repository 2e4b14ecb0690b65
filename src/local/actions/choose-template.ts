import { ApiError, byId } from "../protocol/errors.ts";
import { text } from "../protocol/query.ts";
import type { LaunchTemplate, LaunchTemplateVersion, State } from "../state/schema.ts";

/** The parameters that name a template, to be spread into an action's table. */
export const templateNameParameters = {
  LaunchTemplateId: text.optional(),
  LaunchTemplateName: text.optional(),
};

/** How calls name a template: by one of the two. */
export interface TemplateName {
  readonly LaunchTemplateId?: string | undefined;
  readonly LaunchTemplateName?: string | undefined;
}

/** @throws ApiError when neither or both are given, or there is no such template */
export function templateFor(state: Pick<State, "launchTemplates">, name: TemplateName): LaunchTemplate {
  const { LaunchTemplateId: id, LaunchTemplateName: named } = name;
  if (id !== undefined && named !== undefined) {
    throw new ApiError(
      "InvalidParameterCombination",
      "Specify either a launch template ID or a launch template name, not both.",
    );
  }
  if (id !== undefined) return byId("launchTemplate", id, state.launchTemplates, (each) => each.id);
  if (named === undefined) {
    throw new ApiError(
      "MissingParameter",
      "The request must contain the parameter LaunchTemplateId or LaunchTemplateName",
    );
  }
  const found = state.launchTemplates.find((each) => each.name === named);
  if (found !== undefined) return found;
  throw new ApiError(
    "InvalidLaunchTemplateName.NotFoundException",
    `The specified launch template, with template name ${named}, does not exist.`,
  );
}

/** The number that a version is asked for by: itself, `$Latest` or `$Default`. */
export function versionNumber(template: LaunchTemplate, asked: string): number {
  if (asked === "$Default") return template.defaultVersion;
  if (asked === "$Latest") return latestVersion(template);
  if (/^[1-9]\d{0,8}$/.test(asked)) return Number(asked);
  throw new ApiError(
    "InvalidParameterValue",
    `Value (${asked}) for parameter version is invalid. Expecting a number, $Latest or $Default.`,
  );
}

/** The newest version that there still is. */
export function latestVersion({ versions }: LaunchTemplate): number {
  return Math.max(...versions.map(({ number }) => number));
}

/** @throws ApiError when the template has no such version */
export function versionFor(template: LaunchTemplate, asked: string): LaunchTemplateVersion {
  const number = versionNumber(template, asked);
  const found = template.versions.find((version) => version.number === number);
  if (found !== undefined) return found;
  throw new ApiError(
    "InvalidLaunchTemplateId.VersionNotFound",
    `Could not find the specified version ${asked} for the launch template with ID ${template.id}.`,
  );
}
