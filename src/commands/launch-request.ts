import { readFile } from "node:fs/promises";
import type { Cloud } from "../aws/cloud.ts";
import { architectureOf, type Architecture } from "../aws/instance-types.ts";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { channelLines } from "../fleet/channel-lines.ts";
import { findImage, type Choice } from "../launch/choose-image.ts";
import { checkLate } from "../launch/known-services.ts";
import type { LaunchOptions } from "../launch/launch.ts";
import { logLines } from "../launch/log-lines.ts";
import { parameterLines, referencesOf } from "../launch/parameters.ts";
import type { LogName, RequestLine } from "../launch/request-lines.ts";
import type { Listener } from "../report/events.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { openEndpoint, type Endpoint } from "./endpoint.ts";
import { tellChoice } from "./launch-notes.ts";
import type { LaunchArguments, LaunchSettings } from "./launch-settings.ts";
import { chooseType } from "./launch-types.ts";
import { loginKey } from "./login-key.ts";
import { digestsOf, readableCatalog } from "./project.ts";
import type { Session } from "./session.ts";

/** What a verb that launches decides itself. */
export interface LaunchPurpose {
  readonly waitSeconds: number | undefined;
  /** Which logs the machines upload where `--log` says so. */
  readonly logs: readonly LogName[];
}

/** What a launch needs, and what was learned on the way to it. */
export interface LaunchRequest {
  readonly endpoint: Endpoint;
  readonly options: LaunchOptions;
}

/**
 * Everything that a launch needs, from the options and the cloud that was chosen. Asks for a choice of type where there is one.
 * Nothing is created.
 * @throws BakeError `usage`, and as the cloud does
 */
export async function launchRequest(
  argv: GlobalOptions & LaunchArguments,
  context: Context,
  session: Session,
  settings: LaunchSettings,
  purpose: LaunchPurpose,
): Promise<LaunchRequest> {
  const { run, listener, signal } = session;
  const userData = argv.userData === undefined ? undefined : await readUserData(argv.userData);
  const catalog = await readableCatalog(argv.project);
  const local = catalog === undefined ? undefined : await digestsOf(catalog);
  const endpoint = await openEndpoint(argv, context, listener);
  const { cloud } = endpoint;
  const owner = await endpoint.ownerOf(signal);
  const architecture = await wantedArchitecture(cloud, settings, signal);
  const { names, image, extra } = settings;
  const choice = await findImage(cloud, { owner, names, image, extra, local, architecture }, signal);
  checkLate(choice, local);
  const lines = parameterLines(settings.values, choice, catalog, listener);
  if (settings.instance.instanceProfile === undefined) {
    warnOfNoRole(referencesOf(lines, choice, catalog), listener);
  }
  const instanceType = await typeOf(settings, endpoint, choice, context, session);
  tellChoice(choice, local, listener);
  const told = await tellOfBuckets(cloud, settings, choice, purpose, session);
  const key = await loginKey(context.environment, argv.identity);
  return {
    endpoint,
    options: {
      cloud,
      choice,
      run,
      owner,
      extraTags: settings.extraTags,
      machineTags: told.tags,
      request: [...lines, ...told.lines],
      ...(userData === undefined ? {} : { userData }),
      instanceType,
      instance: settings.instance,
      count: settings.count,
      ports: await openPorts(settings, endpoint, signal),
      loginKey: key.publicKey,
      ...(argv.login === undefined ? {} : { login: argv.login }),
      waitSeconds: purpose.waitSeconds,
      listener,
      signal,
    },
  };
}

function warnOfNoRole(references: readonly string[], listener: Listener): void {
  if (references.length === 0) return;
  listener({
    type: "warning",
    at: Date.now(),
    message: `${references.join(", ")} ${references.length === 1 ? "is" : "are"} in Parameter Store, which machines without a role cannot read`,
    hint: "give a role that may with --instance-profile, or another value with --set",
  });
}

/** @throws BakeError `usage` for a type that there is not, and when `--arch` says otherwise. */
async function wantedArchitecture(
  cloud: Cloud,
  { type, architecture }: LaunchSettings,
  signal: AbortSignal,
): Promise<Architecture | undefined> {
  if (type.kind !== "named") return architecture;
  const ofType = (await architectureOf(cloud, [type.type], signal)).get(type.type);
  if (architecture === undefined || ofType === architecture) return ofType;
  throw new BakeError("usage", `--type ${type.type} is ${ofType ?? "-"}, and --arch says ${architecture}`, {
    hint: "leave out one or the other",
  });
}

async function typeOf(
  settings: LaunchSettings,
  { cloud, defaultTypes }: Endpoint,
  { image }: Choice,
  context: Context,
  session: Session,
): Promise<string> {
  const architecture = image.architecture === "arm64" ? "arm64" : "x86_64";
  switch (settings.type.kind) {
    case "named":
      return settings.type.type;
    case "default":
      return defaultTypes[architecture];
    case "fitting":
      return await chooseType(cloud, settings.type, settings, architecture, context, session);
  }
}

/** What concerns S3: where bundles come from and logs go, by the machines' role or by URLs. */
async function tellOfBuckets(
  cloud: Cloud,
  settings: LaunchSettings,
  { image }: Choice,
  { logs }: LaunchPurpose,
  { run, listener, signal }: Session,
): Promise<{ readonly tags: ReadonlyMap<string, string>; readonly lines: readonly RequestLine[] }> {
  const byRole = settings.instance.instanceProfile !== undefined;
  const { channel, log, count } = settings;
  const told =
    channel === undefined
      ? { tags: new Map<string, string>(), lines: [] }
      : await channelLines(
          cloud,
          { channel: channel.name, place: channel.place, image, byRole },
          listener,
          signal,
        );
  if (log === undefined) return told;
  const ofLogs = await logLines(cloud, { place: log, run, count, names: logs, byRole }, listener, signal);
  return { tags: told.tags, lines: [...told.lines, ...ofLogs] };
}

/** Ports of a group of the launch's own, for those who may reach them. */
async function openPorts(
  { ports, allowCidrs, instance }: LaunchSettings,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<LaunchOptions["ports"]> {
  if (instance.groupIds !== undefined && instance.groupIds.length > 0) return [];
  const isPrivate = instance.publicAddress === false && endpoint.sshInterfaces.includes("private-ip");
  const way = { sshInterface: isPrivate ? "private-ip" : "public-ip", proxied: false } as const;
  const cidrs = allowCidrs.length > 0 ? allowCidrs : await endpoint.callerCidrs(way, signal);
  return ports.flatMap((port) => cidrs.map((cidr) => ({ port, cidr })));
}

async function readUserData(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const why = systemCodeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new BakeError("usage", `--user-data ${file}: ${why}`, { cause: error });
  }
}
