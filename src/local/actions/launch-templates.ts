import { z } from "zod";
import { ApiError, byIds, invalidValue } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text, type QueryNode } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { newId } from "../state/ids.ts";
import type { LaunchTemplate, LaunchTemplateVersion, State } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { latestVersion, templateFor, templateNameParameters, versionFor } from "./choose-template.ts";
import { digestOf } from "./run-parameters.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";
import { checkTemplateData, overridden, templateData, type LaunchQuery } from "./template-data.ts";
import { versionXml } from "./template-versions.ts";

function templateXml(template: LaunchTemplate): XmlObject {
  return {
    launchTemplateId: template.id,
    launchTemplateName: template.name,
    createTime: new Date(template.createdAt),
    createdBy: template.createdBy,
    defaultVersionNumber: template.defaultVersion,
    latestVersionNumber: latestVersion(template),
    tagSet: tagSet(template.tags),
  };
}

const newVersion = {
  ClientToken: text.optional(),
  VersionDescription: text.optional(),
  LaunchTemplateData: templateData,
};

interface NewVersion {
  readonly ClientToken?: string | undefined;
  readonly VersionDescription?: string | undefined;
}

/** Checked already: a structure. */
function dataIn(query: Readonly<Record<string, QueryNode>>): LaunchQuery {
  const data = query["LaunchTemplateData"];
  return typeof data === "object" ? data : {};
}

function makeVersion(
  context: Context,
  request: NewVersion,
  number: number,
  data: LaunchQuery,
): LaunchTemplateVersion {
  const { ClientToken, VersionDescription = "" } = request;
  if (VersionDescription.length > 255) {
    throw invalidValue("VersionDescription", VersionDescription, "Expecting at most 255 characters.");
  }
  checkTemplateData(data);
  return {
    number,
    ...(VersionDescription === "" ? {} : { description: VersionDescription }),
    createdAt: context.now(),
    createdBy: context.caller.arn,
    data,
    ...(ClientToken === undefined ? {} : { clientToken: ClientToken }),
    requestDigest: digestOf(request),
  };
}

/** What an earlier request with the same client token made. @throws ApiError when that asked for something else */
function repeated<T extends { clientToken?: string | undefined; requestDigest: string }>(
  made: readonly T[],
  request: NewVersion,
): T | undefined {
  const { ClientToken } = request;
  const earlier = ClientToken === undefined ? undefined : made.find((it) => it.clientToken === ClientToken);
  if (earlier === undefined || earlier.requestDigest === digestOf(request)) return earlier;
  throw new ApiError(
    "IdempotentParameterMismatch",
    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
  );
}

function checkName(state: State, name: string): void {
  if (!/^[A-Za-z0-9().\-/_]{3,128}$/.test(name)) {
    throw new ApiError(
      "InvalidLaunchTemplateName.MalformedException",
      `A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _ (${name})`,
    );
  }
  if (state.launchTemplates.some((each) => each.name === name)) {
    throw new ApiError(
      "InvalidLaunchTemplateName.AlreadyExistsException",
      `Launch template name already in use: ${name}`,
    );
  }
}

export const launchTemplateActions = [
  action(
    "CreateLaunchTemplate",
    z.strictObject({ LaunchTemplateName: text, ...newVersion, ...tagSpecificationParameters }),
    async (context, request, query) => {
      const template = await context.change((draft) => {
        const earlier = repeated(draft.launchTemplates, request);
        if (earlier !== undefined) return structuredClone(earlier);
        checkName(draft, request.LaunchTemplateName);
        const tags = tagsFor(request.TagSpecification, ["launch-template"])("launch-template");
        const version = makeVersion(context, request, 1, dataIn(query));
        const { createdAt, createdBy, requestDigest } = version;
        const made: LaunchTemplate = {
          id: newId("lt"),
          name: request.LaunchTemplateName,
          ...{ createdAt, createdBy, requestDigest, tags },
          ...(request.ClientToken === undefined ? {} : { clientToken: request.ClientToken }),
          defaultVersion: 1,
          lastNumber: 1,
          versions: [version],
        };
        draft.launchTemplates.push(made);
        return structuredClone(made);
      });
      return { launchTemplate: templateXml(template) };
    },
  ),

  action(
    "CreateLaunchTemplateVersion",
    z.strictObject({ ...templateNameParameters, SourceVersion: text.optional(), ...newVersion }),
    async (context, request, query) => {
      return await context.change((draft) => {
        const template = templateFor(draft, request);
        const { SourceVersion: source } = request;
        let version = repeated(template.versions, request);
        if (version === undefined) {
          const base = source === undefined ? {} : versionFor(template, source).data;
          template.lastNumber += 1;
          version = makeVersion(context, request, template.lastNumber, overridden(base, dataIn(query)));
          template.versions.unshift(version);
        }
        return { launchTemplateVersion: versionXml(template, version, (asked) => asked) };
      });
    },
  ),

  action(
    "DescribeLaunchTemplates",
    z.strictObject({
      LaunchTemplateId: list(text),
      LaunchTemplateName: list(text),
      ...filterParameters,
      ...pageParameters,
    }),
    async (context, request) => {
      const { launchTemplates } = await context.read();
      const asked = [
        ...byIds("launchTemplate", request.LaunchTemplateId, launchTemplates, ({ id }) => id),
        ...request.LaunchTemplateName.map((LaunchTemplateName) =>
          templateFor({ launchTemplates }, { LaunchTemplateName }),
        ),
      ];
      const wasAsked = request.LaunchTemplateId.length + request.LaunchTemplateName.length > 0;
      const matching = filtered(
        wasAsked ? asked : launchTemplates,
        request.Filter,
        {
          "create-time": ({ createdAt }) => [new Date(createdAt).toISOString()],
          "launch-template-name": ({ name }) => [name],
        },
        ({ tags }) => tags,
      );
      const { items, nextToken } = page(matching, request, { smallest: 1, largest: 200 });
      return { launchTemplates: items.map(templateXml), nextToken };
    },
  ),

  action(
    "ModifyLaunchTemplate",
    z.strictObject({
      ...templateNameParameters,
      // Doing it twice is no harm.
      ClientToken: text.optional(),
      SetDefaultVersion: text.optional(),
    }),
    async (context, request) => {
      const { SetDefaultVersion: version } = request;
      if (version === undefined) {
        throw new ApiError("MissingParameter", "The request must contain the parameter SetDefaultVersion");
      }
      const template = await context.change((draft) => {
        const found = templateFor(draft, request);
        found.defaultVersion = versionFor(found, version).number;
        return structuredClone(found);
      });
      return { launchTemplate: templateXml(template) };
    },
  ),

  action("DeleteLaunchTemplate", z.strictObject(templateNameParameters), async (context, request) => {
    const template = await context.change((draft) => {
      const found = templateFor(draft, request);
      draft.launchTemplates = draft.launchTemplates.filter((each) => each !== found);
      return found;
    });
    return { launchTemplate: templateXml(template) };
  }),
];
