import { defaultVpc } from "../aws/access.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { runProgram } from "../base/process.ts";
import { findSource } from "../bake/source.ts";
import { checkBase } from "./base-image.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { openEndpoint, type Endpoint } from "./endpoint.ts";

/** What one look found. */
export interface CheckResult {
  readonly name: string;
  readonly found: string;
  readonly problem?: string;
  readonly fix?: string;
}

const usualWay = { sshInterface: "public-ip", proxied: false } as const;

type Check = readonly [name: string, look: () => Promise<string>];

/** Looks at everything that the chosen cloud needs; one failing look does not stop the others. */
export async function runChecks(options: GlobalOptions, context: Context): Promise<CheckResult[]> {
  const { signal } = context;
  const common: Check[] = [
    ["Node", () => Promise.resolve(process.version)],
    [
      "ssh",
      () =>
        versionOf(["ssh", "-V"], "apt-get install openssh-client, or dnf install openssh-clients", signal),
    ],
  ];
  const checks = [
    ...common,
    ...(options.local ? await localChecks(context) : []),
    ...(await cloudChecks(options, context)),
  ];
  return await Promise.all(checks.map(runCheck));
}

/** What to ask the cloud; nothing when it cannot even be opened, which is then the result. */
async function cloudChecks(options: GlobalOptions, context: Context): Promise<Check[]> {
  const { signal } = context;
  let endpoint: Endpoint;
  try {
    endpoint = await openEndpoint(options, context);
  } catch (error) {
    return [["cloud", () => Promise.reject(error instanceof Error ? error : new Error(String(error)))]];
  }
  const { cloud } = endpoint;
  const image: Check = [
    "source image",
    async () => {
      const query = endpoint.newestSource(false);
      const wish = { login: undefined, architecture: undefined, allowDeprecated: true };
      return (await findSource(cloud, { query, ...wish }, signal)).image.name;
    },
  ];
  const aws: Check[] = [
    ["Region", () => cloud.region()],
    ["caller", () => cloud.callerArn(signal)],
    ["default VPC", () => defaultVpc(cloud, signal)],
    ["own address", async () => (await endpoint.callerCidrs(usualWay, signal)).join(", ")],
    image,
  ];
  return options.local ? [image] : aws;
}

async function runCheck([name, look]: Check): Promise<CheckResult> {
  try {
    return { name, found: await look() };
  } catch (error) {
    const fix = error instanceof BakeError ? error.hint : undefined;
    return { name, found: "", problem: messageOf(error), ...(fix === undefined ? {} : { fix }) };
  }
}

async function localChecks(context: Context): Promise<Check[]> {
  const { signal } = context;
  const qemu = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const package_ = process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86";
  const install = (apt: string, dnf: string): string => `apt-get install ${apt}, or dnf install ${dnf}`;
  const { accelerationOf } = await import("../local/index.ts");
  const { localCloudDirectory } = await import("./data-directory.ts");
  return [
    ["QEMU", () => versionOf([qemu, "--version"], install(package_, `${qemu}-core`), signal)],
    ["qemu-img", () => versionOf(["qemu-img", "--version"], install("qemu-utils", "qemu-img"), signal)],
    ["mmdebstrap", () => versionOf(["mmdebstrap", "--version"], install("mmdebstrap", "mmdebstrap"), signal)],
    ["mke2fs", () => versionOf(["mke2fs", "-V"], install("e2fsprogs", "e2fsprogs"), signal)],
    ["data directory", () => dataDirectoryCheck(context)],
    ["base image", () => checkBase(context)],
    ["acceleration", () => accelerationOf({ directory: localCloudDirectory(context.environment), signal })],
  ];
}

async function dataDirectoryCheck({ environment }: Context): Promise<string> {
  const { dataDirectory, localCloudDirectory } = await import("./data-directory.ts");
  const { checkWritable } = await import("./writable.ts");
  await checkWritable(dataDirectory(environment), environment);
  await checkWritable(localCloudDirectory(environment), environment, ["state.json"]);
  return dataDirectory(environment);
}

async function versionOf(
  argv: readonly [string, ...string[]],
  hint: string,
  signal: AbortSignal,
): Promise<string> {
  const { stdout, stderr } = await runProgram(argv, { signal, hint });
  return (stdout || stderr).split("\n")[0]?.trim() ?? "";
}
