import { DescribeInstancesCommand, TerminateInstancesCommand, type Instance } from "@aws-sdk/client-ec2";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { Cloud } from "../../src/aws/cloud.ts";
import { readS3Url } from "../../src/aws/s3-url.ts";
import type { FollowedJobOptions } from "../../src/jobs/options.ts";
import type { Sink } from "../../src/jobs/sink.ts";
import { findImage } from "../../src/launch/choose-image.ts";
import { logLines } from "../../src/launch/log-lines.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { serveLocalCloud } from "../../src/local/serve.ts";
import type { SshTarget } from "../../src/machine/target.ts";
import type { Event } from "../../src/report/events.ts";
import { image as bakedImage, owner } from "../support/leavings.ts";
import {
  clientOptions,
  quickDirectory,
  stateOnlyCloud,
  type StateOnlyCloud,
} from "../support/local-cloud.ts";
import { bootMachine, type TestMachine } from "../support/nspawn.ts";
import { recorderOf, type Recorder } from "../support/sent-requests.ts";

export const bucket = "job-logs";

/** Keeps what comes. */
export class Kept implements Sink {
  readonly chunks: Buffer[] = [];
  readonly pending = 0;
  onWrite: (text: string) => void = () => undefined;

  write(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.onWrite(this.text);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

/** A cloud that keeps books of machines alone, and a real machine that stands for each of them. */
export class World implements AsyncDisposable {
  readonly local: StateOnlyCloud;
  readonly machine: TestMachine;
  readonly cloud: Cloud;
  readonly s3: S3Client;
  readonly url: string;
  readonly events: Event[] = [];
  readonly sink = new Kept();
  /** What was sent to the cloud. */
  readonly sent: Recorder["sent"];
  readonly #stop: () => Promise<void>;

  private constructor(local: StateOnlyCloud, machine: TestMachine, url: string, stop: () => Promise<void>) {
    this.local = local;
    this.machine = machine;
    this.url = url;
    const recorder = recorderOf(local.cloud);
    this.sent = recorder.sent;
    this.cloud = new Cloud({
      ...recorder.options,
      objects: { endpoint: url, forcePathStyle: true },
    });
    this.s3 = new S3Client(clientOptions(local.cloud));
    this.#stop = stop;
  }

  /** @param update what the consoles say of the update */
  static async open(
    update = "bake-ami: phase=update run=boot-1 result=ok services=web failed=- not-started=- init=-",
  ): Promise<World> {
    const output = Buffer.from(update).toString("base64");
    const local = await stateOnlyCloud(
      {
        intercept: async (call, carryOut) => {
          const reply = await carryOut();
          if (call.action !== "GetConsoleOutput" || reply.status !== 200) return reply;
          const body = reply.body.replace(/<output>.*?<\/output>|<output\s*\/>/, "");
          return {
            ...reply,
            body: body.replace("</GetConsoleOutputResponse>", `<output>${output}</output>$&`),
          };
        },
      },
      quickDirectory,
    );
    const abort = new AbortController();
    let served: Promise<void> = Promise.resolve();
    const url = await new Promise<string>((resolve, reject) => {
      served = serveLocalCloud({ cloud: local.cloud, port: 0, signal: abort.signal, onListening: resolve });
      served.catch(reject);
    });
    const machine = await bootMachine();
    await machine.booted();
    await bakedImage(local, "baked", false);
    const world = new World(local, machine, url, async () => {
      abort.abort();
      await served;
    });
    await world.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    return world;
  }

  /** A job of `sh -c script`. */
  async job(
    script: string,
    change: Partial<FollowedJobOptions> & {
      readonly signal?: AbortSignal;
      readonly log?: string;
      readonly byRole?: boolean;
      readonly target?: Partial<SshTarget>;
    } = {},
  ): Promise<FollowedJobOptions> {
    const { signal = new AbortController().signal, log, byRole = false, target = {}, ...rest } = change;
    const { cloud } = this;
    const listener = (event: Event): void => {
      this.events.push(event);
    };
    const run = "20260102-030405-abcdef";
    const wanted = {
      owner,
      names: ["web"],
      extra: [],
      local: undefined,
      image: undefined,
      architecture: undefined,
    };
    const place = log === undefined ? undefined : readS3Url(log, "--log");
    const names = ["update.log", "job.log", "job.json"] as const;
    const request =
      place === undefined
        ? []
        : await logLines(cloud, { place, run, count: 1, names, byRole }, listener, signal);
    return {
      launch: {
        cloud,
        choice: await findImage(cloud, wanted, signal),
        run,
        owner,
        instanceType: "t3.micro",
        request,
        ports: [{ port: 22, cidr: "127.0.0.0/8" }],
        loginKey: `${newKeyPair("ed25519").line} me`,
        listener,
        signal,
      },
      command: ["sh", "-c", script],
      uploads: [],
      environment: new Map(),
      maxSeconds: 3600,
      updateSeconds: 60,
      keep: false,
      sink: this.sink,
      reach: () => Promise.resolve({ ...this.machine.ssh, ...target }),
      ...rest,
    };
  }

  /** Notes and warnings, a line each. */
  get said(): string {
    return this.events
      .flatMap((event) => (event.type === "note" || event.type === "warning" ? [event.message] : []))
      .join("\n");
  }

  /** The machine that was launched for the job. */
  async instance(): Promise<Instance> {
    const { Reservations = [] } = await this.local.ec2.send(new DescribeInstancesCommand());
    const found = Reservations.flatMap(({ Instances = [] }) => Instances).find(({ Tags = [] }) =>
      Tags.some(({ Key, Value }) => Key === "bake-ami:role" && Value === "job"),
    );
    if (found === undefined) throw new Error("no job was launched");
    return found;
  }

  /** What EC2 does when the machine goes down. */
  async instanceGoes(): Promise<void> {
    const { InstanceId = "" } = await this.instance();
    await this.local.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  }

  async object(key: string): Promise<string> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToString()) ?? "";
  }

  async keys(): Promise<(string | undefined)[]> {
    const { Contents = [] } = await this.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
    return Contents.map(({ Key }) => Key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
    await this.#stop();
    await this.local[Symbol.asyncDispose]();
  }
}
