import { describe, expect, test } from "vitest";
import { z } from "zod";
import { flag, list, text } from "../../src/local/protocol/query.ts";
import { services } from "../../src/local/services.ts";
import { Agreement } from "../support/agreement.ts";
import { noModel, readModel } from "../support/api-model.ts";

describe.skipIf(noModel !== undefined)(
  `what the local cloud takes is in AWS's model ${noModel ?? ""}`,
  () => {
    test("what is not in it is found", () => {
      const agreement = new Agreement(readModel("ec2"));
      const wrong = z.strictObject({
        InstanceIds: list(text),
        Filter: list(z.strictObject({ Name: flag, Values: list(text) })),
        MaxResults: text.optional(),
      });
      agreement.checkInput("DescribeInstancesRequest", wrong, "");
      agreement.checkInput("CreateImageRequest", z.strictObject({ InstanceId: text.optional() }), "");
      expect([...agreement.problems].sort()).toEqual([
        ".Name: required by the model, unknown here",
        "Filter.N.Name (String): takes true or false, the model has string",
        "Filter.N.Values: Filter has no such member",
        "InstanceId: required by the model, optional here",
        "InstanceIds: DescribeInstancesRequest has no such member",
        "MaxResults (Integer): takes text, the model has integer",
      ]);
    });

    test.each(services.map((service) => [service.name, service] as const))("%s", (_, service) => {
      const model = readModel(service.name);
      const agreement = new Agreement(model);
      for (const action of service.actions.values()) {
        const input = model.operations[action.name]?.input;
        if (input === undefined) agreement.problems.add(`${action.name} is no action of ${service.name}`);
        else agreement.checkInput(input.shape, action.parameters, action.name);
        const members = input === undefined ? {} : (model.shapes[input.shape]?.members ?? {});
        if (service.dryRuns && members["DryRun"] === undefined) {
          agreement.problems.add(`${action.name} takes no DryRun`);
        }
      }
      if (agreement.newer.size > 0) {
        console.log(`newer than the model, and known to the SDK: ${[...agreement.newer].sort().join(", ")}`);
      }
      expect([...agreement.problems].sort()).toEqual([]);
    });
  },
);
