import { setTimeout as sleep } from "node:timers/promises";
import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { openLocalCloud, requestHandler } from "../../src/local/index.ts";
import { bakeAmi, type CliResult } from "./cli.ts";
import { Project } from "./project.ts";
import { openTestCloud, type TestCloud } from "./vm-cloud.ts";

/** Enough for two boots on a busy computer, and short enough to wait for. */
const maxBakeSeconds = 150;

/** The machine gives the controller so much longer. */
export const graceSeconds = 30;

/** How much later than that it may be gone. */
const patienceSeconds = 90;

/** A service that reboots its machine, and then works for longer than the bake may take. */
const files = {
  "services/endless/init/10-reboot.sh":
    "#!/bin/sh\n[ ! -e /root/rebooted ] || exit 0\ntouch /root/rebooted\nexit 194\n",
  "services/endless/init/20-work.sh": "#!/bin/sh\necho endless is at work\nsleep 3600\n",
};

/** What became of a builder after its deadline. */
export interface End {
  /** Seconds after the bake's time was over. */
  readonly late: number;
  readonly reason: string | undefined;
}

/** A builder whose controller was killed while it worked, after it had rebooted. */
export class ForsakenBuilder implements AsyncDisposable {
  readonly cloud: TestCloud;
  readonly #project: Project;
  readonly #end: Promise<End | Error>;

  private constructor(cloud: TestCloud, project: Project, expires: number) {
    this.cloud = cloud;
    this.#project = project;
    // It is watched from now on, so that the time of its end is right whoever asks for it later.
    this.#end = watch(cloud, expires).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
  }

  /** Starts a bake and kills it. */
  static async make(): Promise<ForsakenBuilder> {
    const cloud = await openTestCloud();
    const project = new Project(files);
    try {
      return new ForsakenBuilder(cloud, project, await forsake(cloud, project));
    } catch (error) {
      project[Symbol.dispose]();
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits for its end. */
  async end(): Promise<End> {
    const end = await this.#end;
    if (end instanceof Error) throw end;
    return end;
  }

  async cleanup(): Promise<CliResult> {
    return await bakeAmi(["cleanup", "--local"], { cwd: this.#project.directory, env: this.cloud.env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end;
    this.#project[Symbol.dispose]();
    await this.cloud[Symbol.asyncDispose]();
  }
}

/** @returns when the builder may be swept, in milliseconds since the epoch */
async function forsake(cloud: TestCloud, project: Project): Promise<number> {
  const killed = await bakeAmi(["endless", "--local", "--json", "--max-bake-time", `${maxBakeSeconds}s`], {
    cwd: project.directory,
    env: cloud.env,
    onLine: (line, child) => {
      if (line.includes("endless is at work")) child.kill("SIGKILL");
    },
  });
  const builder = await builderIn(cloud);
  const expires = Date.parse(builder.Tags?.find(({ Key }) => Key === "bake-ami:expires")?.Value ?? "");
  if (killed.status !== 137 || builder.State?.Name !== "running" || Number.isNaN(expires)) {
    throw new Error(`it was not forsaken: ${killed.stderr}`);
  }
  if (expires > Date.now() + maxBakeSeconds * 1000) throw new Error("it may stay for longer than was said");
  return expires;
}

async function watch(cloud: TestCloud, expires: number): Promise<End> {
  for (;;) {
    const { State, StateReason } = await builderIn(cloud);
    if (State?.Name === "terminated") {
      return { late: (Date.now() - expires) / 1000, reason: StateReason?.Code };
    }
    if (Date.now() > expires + (graceSeconds + patienceSeconds) * 1000) {
      throw new Error(`it is ${State?.Name ?? "-"} long after its time`);
    }
    await sleep(500);
  }
}

async function builderIn({ directory }: TestCloud): Promise<Instance> {
  const ec2 = new EC2Client({
    region: "local",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: requestHandler(openLocalCloud({ directory })),
  });
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
  const [instance, other] = (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
  if (instance === undefined || other !== undefined) throw new Error("there is not exactly one instance");
  return instance;
}
