import {
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeSecurityGroupsCommand,
  type LaunchTemplateVersion,
} from "@aws-sdk/client-ec2";
import { Cloud } from "../../src/aws/cloud.ts";
import { newRunId } from "../../src/base/ids.ts";
import { makeTemplate, type TemplateOptions, type TemplateResult } from "../../src/fleet/template.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import type { LaunchOptions } from "../../src/launch/launch.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import type { Event } from "../../src/report/events.ts";
import { image as bakedImage, owner } from "../support/leavings.ts";
import { stateOnlyCloud, type StateOnlyCloud } from "../support/local-cloud.ts";
import { recorderOf } from "../support/sent-requests.ts";

const { signal } = new AbortController();
export const loginKey = `${newKeyPair("ed25519").line} me`;
export const name = "bake-ami-web";
export const fine = "bake-ami: phase=update run=boot-1 result=ok services=web failed=- not-started=- init=-";
export const broken = [
  "bake-ami: why run=boot-1 web: update: step 10-start.sh ended with status 3",
  "bake-ami: phase=update run=boot-1 result=failed services=web failed=web not-started=- init=-",
].join("\n");

export interface World extends AsyncDisposable {
  readonly local: StateOnlyCloud;
  readonly cloud: Cloud;
  readonly events: Event[];
  /** What each machine was started with. */
  readonly started: () => readonly Readonly<Record<string, string>>[];
  console: string;
}

/** A cloud with a baked image, whose machines have this on their consoles. */
export async function open(): Promise<World> {
  const state = { console: fine };
  const local = await stateOnlyCloud({
    intercept: async (call, carryOut) => {
      const reply = await carryOut();
      if (call.action !== "GetConsoleOutput" || reply.status !== 200) return reply;
      const output = Buffer.from(state.console).toString("base64");
      const body = reply.body.replace(/<output>.*?<\/output>|<output\s*\/>/, "");
      return { ...reply, body: body.replace("</GetConsoleOutputResponse>", `<output>${output}</output>$&`) };
    },
  });
  await bakedImage(local, "baked", false);
  const recorder = recorderOf(local.cloud);
  return Object.assign(state, {
    local,
    cloud: new Cloud(recorder.options),
    events: [],
    started: () => recorder.sent("RunInstances"),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  });
}

export async function launchOf(
  { cloud, events }: World,
  rest: Partial<LaunchOptions> = {},
): Promise<LaunchOptions> {
  return {
    cloud,
    choice: await findImage(cloud, { owner, names: ["web"], extra: [], local: undefined }, signal),
    run: newRunId(new Date()),
    owner,
    instanceType: "t3.micro",
    count: 1,
    ports: [{ port: 22, cidr: "127.0.0.0/8" }],
    loginKey,
    waitSeconds: undefined,
    listener: (event) => events.push(event),
    signal,
    ...rest,
  };
}

export async function template(
  world: World,
  rest: Partial<Omit<TemplateOptions, "launch">> & { launch?: Partial<LaunchOptions> } = {},
): Promise<TemplateResult> {
  return await makeTemplate({
    name,
    trial: { waitSeconds: 60, reach: undefined },
    makeDefault: true,
    keepVersions: 10,
    ...rest,
    launch: await launchOf(world, rest.launch),
  });
}

export async function versions({ local: { ec2 } }: World): Promise<LaunchTemplateVersion[]> {
  const reply = await ec2.send(
    new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName: name, Versions: [] }),
  );
  return (reply.LaunchTemplateVersions ?? []).sort((a, b) => (a.VersionNumber ?? 0) - (b.VersionNumber ?? 0));
}

/** The tags in one specification of a request. */
export function tagsIn(sent: Readonly<Record<string, string>>, specification: number): Map<string, string> {
  const tags = new Map<string, string>();
  for (let n = 1; ; n += 1) {
    const at = `TagSpecification.${specification}.Tag.${n}`;
    const key = sent[`${at}.Key`];
    if (key === undefined) return tags;
    tags.set(key, sent[`${at}.Value`] ?? "");
  }
}

/** What there is of a template: numbers of versions, the default with a star; how many groups and keys; machines that live. */
export async function left(world: World): Promise<string> {
  const { ec2 } = world.local;
  const { LaunchTemplates: all = [] } = await ec2.send(new DescribeLaunchTemplatesCommand());
  const numbers = all.length === 0 ? [] : await versions(world);
  const filter = { Filters: [{ Name: "tag:bake-ami:template", Values: [name] }] };
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand(filter));
  const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand(filter));
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand());
  const live = Reservations.flatMap(({ Instances = [] }) => Instances).filter(
    ({ State }) => State?.Name === "running" || State?.Name === "pending",
  );
  const shown = numbers.map((v) => `${v.VersionNumber ?? 0}${v.DefaultVersion === true ? "*" : ""}`);
  return `${shown.join(" ")} groups=${SecurityGroups.length} keys=${KeyPairs.length} live=${live.length}`;
}
