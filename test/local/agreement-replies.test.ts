import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Reply } from "../../src/local/api.ts";
import { services, type Service } from "../../src/local/services.ts";
import { Agreement } from "../support/agreement.ts";
import { noModel, readModel, type Model } from "../support/api-model.ts";
import { commonJsonCodes, commonQueryCodes, documentedCodes } from "../support/ec2-error-codes.ts";
import { driveEveryAction } from "../support/every-action.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { newerMembers } from "../support/newer-model.ts";
import { parseXml, type Element } from "../support/xml-tree.ts";

interface Answered {
  readonly service: string;
  readonly action: string;
  readonly reply: Reply;
}

let local: StateOnlyCloud;
const answered: Answered[] = [];

beforeAll(async () => {
  local = await stateOnlyCloud({
    intercept: async ({ service, action }, carryOut) => {
      const reply = await carryOut();
      answered.push({ service, action, reply });
      return reply;
    },
  });
});
afterAll(async () => {
  await local[Symbol.asyncDispose]();
});

function child(element: Element, name: string): Element | undefined {
  return element.children.find((each) => each.name === name);
}

/** Compares one good reply with the model of its action. */
function checkReply(agreement: Agreement, model: Model, { service, action, reply }: Answered): void {
  const output = model.operations[action]?.output;
  if (service === "ssm") {
    if (output !== undefined) agreement.checkJson(output, JSON.parse(reply.body), action);
    return;
  }
  const root = parseXml(reply.body);
  expect(root.name).toBe(`${action}Response`);
  if (service === "sts") {
    expect(root.children.map(({ name }) => name)).toEqual([output?.resultWrapper, "ResponseMetadata"]);
    const [result] = root.children;
    if (output !== undefined && result !== undefined) agreement.checkElement(output, result, action);
    return;
  }
  expect(child(root, "requestId")?.text).toMatch(/^[0-9a-f-]{36}$/);
  const rest = root.children.filter(({ name }) => name !== "requestId");
  if (output !== undefined) agreement.checkElement(output, { ...root, children: rest }, action);
  else {
    // What returns nothing says that it went well. Some actions have learnt to return more since.
    expect(rest.filter(({ name }) => name === "return").map(({ text }) => text)).toEqual(["true"]);
    const newer = ["return", ...newerMembers(`${action}Result`, "output")];
    for (const { name } of rest) {
      if (!newer.includes(name)) agreement.problems.add(`${action}.${name}: there is no such member`);
      else if (name !== "return") agreement.newer.add(`${action}.${name}`);
    }
  }
}

describe.skipIf(noModel !== undefined)(`replies agree with AWS's model ${noModel ?? ""}`, () => {
  test("every action's, driven through the SDK", async () => {
    answered.length = 0;
    await driveEveryAction(local);
    const missing = services.flatMap(({ name, actions }) =>
      [...actions.keys()].filter(
        (action) => !answered.some((each) => each.service === name && each.action === action),
      ),
    );
    expect(missing).toEqual([]);
    for (const { name } of services) {
      const model = readModel(name);
      const agreement = new Agreement(model);
      for (const each of answered.filter(({ service }) => service === name)) {
        expect(each.reply).toMatchObject({ status: 200 });
        checkReply(agreement, model, each);
      }
      if (agreement.newer.size > 0) {
        console.log(`newer than the model, and known to the SDK: ${[...agreement.newer].sort().join(", ")}`);
      }
      expect([...agreement.problems].sort()).toEqual([]);
    }
  });

  test("a reply that is not as it should be is found", () => {
    const agreement = new Agreement(readModel("ec2"));
    const reply = parseXml(
      "<r><subnetSet><member></member><item><subnetID>x</subnetID><state>lost</state><defaultForAz>yes</defaultForAz></item></subnetSet></r>",
    );
    agreement.checkElement({ shape: "DescribeSubnetsResult" }, reply, "r");
    expect([...agreement.problems].sort()).toEqual([
      "r.subnetSet: a list of <item> has <member>",
      "r.subnetSet[].defaultForAz: yes is no boolean",
      "r.subnetSet[].state: lost is no SubnetState",
      "r.subnetSet[].subnetID: Subnet has no such member",
    ]);
  });
});

const jsonError = z.strictObject({ __type: z.string(), message: z.string() });

/** The code in an error reply, in the form of its service. */
function codeIn(service: Service, body: string): string {
  if (service.name === "ssm") {
    return jsonError.parse(JSON.parse(body)).__type;
  }
  const root = parseXml(body);
  const isEc2 = service.name === "ec2";
  expect(root.name).toBe(isEc2 ? "Response" : "ErrorResponse");
  const errors = isEc2 ? child(root, "Errors") : root;
  const error = errors === undefined ? undefined : child(errors, "Error");
  expect(error?.children.map(({ name }) => name)).toEqual([...(isEc2 ? [] : ["Type"]), "Code", "Message"]);
  expect(child(root, isEc2 ? "RequestID" : "RequestId")?.text).toMatch(/^[0-9a-f-]{36}$/);
  return error === undefined ? "" : (child(error, "Code")?.text ?? "");
}

async function raw(service: Service, action: string, parameters: Readonly<Record<string, string>>) {
  const isJson = service.name === "ssm";
  return await local.cloud.handle({
    method: "POST",
    path: "/",
    query: "",
    headers: isJson ? { "x-amz-target": `AmazonSSM.${action}` } : {},
    body: isJson
      ? JSON.stringify(parameters)
      : new URLSearchParams({ Action: action, Version: service.version, ...parameters }).toString(),
  });
}

/** The codes that a service may answer an action with. */
function allowedCodes({ name }: Service, action: string): ReadonlySet<string> {
  if (name === "ec2") return documentedCodes;
  if (name === "sts") return commonQueryCodes;
  const { operations, shapes } = readModel("ssm");
  const own = (operations[action]?.errors ?? []).map(({ shape }) => shapes[shape]?.error?.code ?? shape);
  return new Set([...own, ...commonJsonCodes]);
}

describe.skipIf(noModel !== undefined)(`errors agree with AWS's lists of them ${noModel ?? ""}`, () => {
  const actions = services.flatMap((service) =>
    [...service.actions.keys()].map((action) => [`${service.name} ${action}`, service, action] as const),
  );
  test.each(actions)("%s: unknown and missing parameters", async (_, service, action) => {
    const unknown = await raw(service, action, { Colour: "red" });
    expect(unknown.status).toBeGreaterThanOrEqual(400);
    expect(unknown.body).toContain("Colour");
    expect(allowedCodes(service, action)).toContain(codeIn(service, unknown.body));
    const { operations, shapes } = readModel(service.name);
    const required = shapes[operations[action]?.input?.shape ?? ""]?.required ?? [];
    const empty = await raw(service, action, {});
    if (required.length > 0) {
      expect(codeIn(service, empty.body)).toBe(
        service.name === "ssm" ? "ValidationException" : "MissingParameter",
      );
    } else if (empty.status !== 200) {
      expect(allowedCodes(service, action)).toContain(codeIn(service, empty.body));
    }
  });

  test.each(services.map((service) => [service.name, service] as const))(
    "%s: unknown action",
    async (_, service) => {
      const { body } = await raw(service, "MakeCoffee", {});
      expect(allowedCodes(service, "MakeCoffee")).toContain(codeIn(service, body));
    },
  );
});

test("every error code that the source names is documented", () => {
  const root = join(import.meta.dirname, "../../src/local");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const used = files.flatMap((file) => {
    const source = readFileSync(join(root, file), "utf8");
    const patterns = [/new ApiError\(\s*"([\w.]+)"/g, /(?:malformed|notFound): "([\w.]+)"/g];
    return patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(([, code = ""]) => code));
  });
  const ofOthers = new Set([
    ...commonJsonCodes,
    ...commonQueryCodes,
    ...["HierarchyLevelLimitExceededException", "ParameterAlreadyExists", "ParameterNotFound"],
    ...["ParameterVersionNotFound", "HierarchyTypeMismatchException"],
    ...["InvalidFilterKey", "InvalidFilterOption"],
  ]);
  const unknown = [...new Set(used)].filter((code) => !documentedCodes.has(code) && !ofOthers.has(code));
  expect(unknown).toEqual([]);
  expect(used.length).toBeGreaterThan(50);
});
