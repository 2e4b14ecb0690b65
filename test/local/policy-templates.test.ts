import {
  CreateLaunchTemplateCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { parsePolicy } from "../../src/local/policy/document.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";

/* Condition keys of launches from templates. (EC2 User Guide, "Control access to launch templates") */

test("a policy holds launches to templates, and to what those say", async () => {
  const policy = parsePolicy({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["ec2:CreateLaunchTemplate", "ec2:CreateTags"], Resource: "*" },
      {
        Effect: "Allow",
        Action: "ec2:RunInstances",
        Resource: "*",
        Condition: {
          ArnLike: { "ec2:LaunchTemplate": "arn:aws:ec2:*:*:launch-template/*" },
          Bool: { "ec2:IsLaunchTemplateResource": "true" },
        },
      },
    ],
  });
  await using local = await stateOnlyCloud({ policy });
  await local.ec2.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: "web",
      LaunchTemplateData: { ImageId: local.imageId, InstanceType: "t3.small" },
    }),
  );
  const run = async (more: Partial<RunInstancesCommandInput>): Promise<unknown> =>
    await local.ec2.send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ...more }));
  const LaunchTemplate = { LaunchTemplateName: "web" };
  await run({ LaunchTemplate });
  const larger = run({ LaunchTemplate, InstanceType: "t3.large" });
  await expect(larger).rejects.toMatchObject({ name: "UnauthorizedOperation" });
  await expect(larger).rejects.toThrow(":instance/*");
  await expect(run({ LaunchTemplate, ImageId: local.imageId })).rejects.toThrow(`:image/${local.imageId}`);
  await expect(run({ ImageId: local.imageId })).rejects.toMatchObject({ name: "UnauthorizedOperation" });
});

test("conditions look at what the template adds", async () => {
  const policy = parsePolicy({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "ec2:*", Resource: "*" },
      {
        Effect: "Deny",
        Action: "ec2:RunInstances",
        Resource: "arn:aws:ec2:*:*:instance/*",
        Condition: { StringLike: { "ec2:InstanceType": "*.large" } },
      },
    ],
  });
  await using local = await stateOnlyCloud({ policy });
  for (const type of ["t3.small", "t3.large"] as const) {
    await local.ec2.send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName: type,
        LaunchTemplateData: { ImageId: local.imageId, InstanceType: type },
      }),
    );
  }
  const run = async (LaunchTemplateName: string): Promise<unknown> =>
    await local.ec2.send(
      new RunInstancesCommand({ MinCount: 1, MaxCount: 1, LaunchTemplate: { LaunchTemplateName } }),
    );
  await run("t3.small");
  await expect(run("t3.large")).rejects.toThrow("explicit deny");
});
