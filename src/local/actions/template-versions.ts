import { z } from "zod";
import { ApiError, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters, type Attributes } from "../protocol/listing.ts";
import { flag, list, parseParameters, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { LaunchTemplate, LaunchTemplateVersion, State } from "../state/schema.ts";
import { action } from "./action.ts";
import { templateFor, templateNameParameters, versionFor, versionNumber } from "./choose-template.ts";
import { resolvedImageId } from "./parameters.ts";
import { templateData, templateDataXml } from "./template-data.ts";

/** @param imageIdOf what to show for an image that may be named by a parameter */
export function versionXml(
  template: LaunchTemplate,
  version: LaunchTemplateVersion,
  imageIdOf: (asked: string) => string,
): XmlObject {
  return {
    launchTemplateId: template.id,
    launchTemplateName: template.name,
    versionNumber: version.number,
    versionDescription: version.description,
    createTime: new Date(version.createdAt),
    createdBy: version.createdBy,
    defaultVersion: version.number === template.defaultVersion,
    launchTemplateData: templateDataXml(version.data, imageIdOf),
  };
}

/** A version with the template that it is of. */
interface Row {
  readonly template: LaunchTemplate;
  readonly version: LaunchTemplateVersion;
}

const attributes: Attributes<Row> = {
  "create-time": ({ version }) => [new Date(version.createdAt).toISOString()],
  "ebs-optimized": (row) => [String(dataOf(row).EbsOptimized ?? false)],
  "http-tokens": (row) => [dataOf(row).MetadataOptions?.HttpTokens],
  "iam-instance-profile": (row) => [
    dataOf(row).IamInstanceProfile?.Arn,
    dataOf(row).IamInstanceProfile?.Name,
  ],
  "image-id": (row) => [dataOf(row).ImageId],
  "instance-type": (row) => [dataOf(row).InstanceType],
  "is-default-version": ({ template, version }) => [String(version.number === template.defaultVersion)],
};

function dataOf({ version }: Row): z.output<typeof templateData> {
  return parseParameters(templateData, version.data);
}

const describeRequest = z.strictObject({
  ...templateNameParameters,
  LaunchTemplateVersion: list(text),
  MinVersion: text.optional(),
  MaxVersion: text.optional(),
  ResolveAlias: flag.optional(),
  ...filterParameters,
  ...pageParameters,
});

/** The versions that a call names. @throws ApiError */
function chosen(state: State, request: z.output<typeof describeRequest>): Row[] {
  const { LaunchTemplateVersion: asked, MinVersion, MaxVersion } = request;
  if (asked.length > 0 && (MinVersion ?? MaxVersion) !== undefined) {
    throw new ApiError(
      "InvalidParameterCombination",
      "Specify either versions, or a minimum and a maximum version.",
    );
  }
  if (request.LaunchTemplateId === undefined && request.LaunchTemplateName === undefined) {
    // Of all templates at once there are the latest and the default versions, and no others.
    if (asked.length === 0) templateFor(state, request);
    const numbered = asked.find((version) => !version.startsWith("$"));
    if (numbered !== undefined) {
      throw invalidValue(
        "LaunchTemplateVersion",
        numbered,
        "Without a template, expecting $Latest or $Default.",
      );
    }
    return state.launchTemplates.flatMap((template) => rowsOf(template, asked));
  }
  const template = templateFor(state, request);
  if (asked.length > 0) return rowsOf(template, asked);
  const [least, most] = [
    MinVersion === undefined ? 0 : versionNumber(template, MinVersion),
    MaxVersion === undefined ? Infinity : versionNumber(template, MaxVersion),
  ];
  return template.versions
    .filter(({ number }) => number >= least && number <= most)
    .map((version) => ({ template, version }));
}

function rowsOf(template: LaunchTemplate, asked: readonly string[]): Row[] {
  const versions = new Set(asked.map((each) => versionFor(template, each)));
  return [...versions].map((version) => ({ template, version }));
}

export const templateVersionActions = [
  action("DescribeLaunchTemplateVersions", describeRequest, async (context, request) => {
    const state = await context.read();
    const matching = filtered(chosen(state, request), request.Filter, attributes, () => ({}));
    const { items, nextToken } = page(matching, request, { smallest: 1, largest: 200 });
    const imageIdOf = (asked: string): string =>
      request.ResolveAlias === true ? resolvedImageId(state, asked) : asked;
    return {
      launchTemplateVersionSet: items.map(({ template, version }) =>
        versionXml(template, version, imageIdOf),
      ),
      nextToken,
    };
  }),

  action(
    "DeleteLaunchTemplateVersions",
    z.strictObject({ ...templateNameParameters, LaunchTemplateVersion: list(text) }),
    async (context, request) => {
      if (request.LaunchTemplateVersion.length === 0) {
        throw new ApiError(
          "MissingParameter",
          "The request must contain the parameter LaunchTemplateVersion",
        );
      }
      return await context.change((draft) => {
        const template = templateFor(draft, request);
        const results = request.LaunchTemplateVersion.map((asked) => deletion(template, asked));
        const gone = new Set(results.flatMap((it) => (it.problem === undefined ? [it.versionNumber] : [])));
        template.versions = template.versions.filter(({ number }) => !gone.has(number));
        const named = { launchTemplateId: template.id, launchTemplateName: template.name };
        return {
          successfullyDeletedLaunchTemplateVersionSet: results
            .filter(({ problem }) => problem === undefined)
            .map(({ versionNumber }) => ({ ...named, versionNumber })),
          unsuccessfullyDeletedLaunchTemplateVersionSet: results
            .filter(({ problem }) => problem !== undefined)
            .map(({ versionNumber, problem }) => ({ ...named, versionNumber, responseError: problem })),
        };
      });
    },
  ),
];

/** What becomes of the wish to delete a version: some may go while others stay. */
function deletion(
  template: LaunchTemplate,
  asked: string,
): {
  readonly versionNumber: number;
  readonly problem?: { readonly code: string; readonly message: string };
} {
  const number = versionNumber(template, asked);
  if (!template.versions.some((version) => version.number === number)) {
    const message = `Could not find the specified version ${asked} for the launch template with ID ${template.id}.`;
    return { versionNumber: number, problem: { code: "launchTemplateVersionDoesNotExist", message } };
  }
  if (number === template.defaultVersion) {
    const message = `The default version of a launch template cannot be deleted: ${number} of ${template.id}.`;
    return { versionNumber: number, problem: { code: "unexpectedError", message } };
  }
  return { versionNumber: number };
}
