import { describe, expect, test } from "vitest";
import { Cloud } from "../../src/aws/cloud.ts";
import { BakeError } from "../../src/base/errors.ts";
import { newRunId } from "../../src/base/ids.ts";
import { makeTemplate, type TemplateOptions } from "../../src/fleet/template.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { checkInstanceType } from "../../src/launch/instance-type.ts";
import type { LaunchOptions } from "../../src/launch/launch.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { image, owner } from "../support/leavings.ts";
import { clientOptions } from "../support/local-cloud.ts";
import { documented, shortenings, under, type Workplace } from "../support/policies.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const signal = new AbortController().signal;
const loginKey = `${newKeyPair("ed25519").line} me`;
const otherKey = `${newKeyPair("ed25519").line} other`;

/** Everything that `template` ever does: versions, trials that come to nothing, undoing, tidying up. */
async function makeAndUpdate({ local, unrestricted, listener }: Workplace): Promise<void> {
  await image(unrestricted, "baked", false);
  const clock = new VirtualClock(Date.now());
  const cloud = new Cloud({ ...clientOptions(local.cloud), clock });
  await clock.run(async () => {
    const choice = await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal);
    await checkInstanceType(cloud, "t3.micro", choice.image, signal);
    const make = async (rest: Partial<LaunchOptions>, more: Partial<TemplateOptions> = {}): Promise<void> => {
      await makeTemplate({
        name: "bake-ami-web",
        trial: undefined,
        makeDefault: true,
        keepVersions: 1,
        ...more,
        launch: {
          cloud,
          choice,
          run: newRunId(new Date()),
          owner,
          instanceType: "t3.micro",
          count: 1,
          ports: [{ port: 22, cidr: "127.0.0.0/8" }],
          loginKey,
          waitSeconds: undefined,
          listener,
          signal,
          ...rest,
        },
      });
    };
    const trial = { waitSeconds: 60, reach: undefined };
    // These machines have no console, so that no trial ever succeeds.
    await unlessInVain(make({}, { trial }));
    await make({});
    await unlessInVain(make({ instanceType: "t3.small" }, { trial }));
    // The first version goes, and its key and group with it.
    await make({ loginKey: otherKey, ports: [{ port: 80, cidr: "127.0.0.0/8" }] });
  });
}

async function unlessInVain(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof BakeError) || error.kind !== "timeout") throw error;
  }
}

describe("template.json", () => {
  test("is enough", async () => {
    const outcome = await under(documented("template"), makeAndUpdate);
    expect(outcome).toEqual({ refused: [], warnings: [], error: undefined });
  });

  test.each(shortenings(documented("template")))("needs $without", async ({ policy }) => {
    const { refused, warnings, error } = await under(policy, makeAndUpdate);
    expect(refused).not.toEqual([]);
    expect([...warnings, ...(error === undefined ? [] : [error])]).not.toEqual([]);
  });
});
