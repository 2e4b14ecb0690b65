import type { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SNSClient } from "@aws-sdk/client-sns";
import type { SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { systemClock, type Clock } from "../base/clock.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import { throwIfAborted } from "../base/wait.ts";
import { callWithRetries, type About, type Caller, type Retry, type Send } from "./call.ts";

/** Where the cloud is and how to talk to it; made once by the command line or the library's caller. */
export interface CloudOptions {
  /** Absent means the SDK's own order: environment, then profile. */
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  /** Answers in place of the network. */
  readonly requestHandler?: EC2ClientConfig["requestHandler"];
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Where machines reach the object store, when it is not where the SDK has it. */
  readonly objects?: { readonly endpoint: string; readonly forcePathStyle: true };
  /** By which everything that waits for the cloud goes. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for the lengths of waits. */
  readonly random?: () => number;
  /** Told of every call that is going to be made again. */
  readonly onRetry?: (retry: Retry) => void;
}

type ClientConfig = Pick<
  EC2ClientConfig,
  "region" | "profile" | "requestHandler" | "credentials" | "maxAttempts"
>;

/** Clients of the services that bake-ami speaks to. */
export class Cloud {
  readonly ec2: EC2Client;
  readonly clock: Clock;
  /** Where machines reach the object store, when it is not where the SDK has it. */
  readonly objects: CloudOptions["objects"];
  readonly #caller: Caller;
  readonly #config: ClientConfig;
  readonly #sts: STSClient;
  #s3: S3Client | undefined;
  #ssm: SSMClient | undefined;
  #autoScaling: AutoScalingClient | undefined;
  #sns: SNSClient | undefined;

  constructor(options: CloudOptions) {
    this.#config = {
      // Retries are made in one place, and that knows more than the SDK does: see call.ts.
      maxAttempts: 1,
      ...(options.region === undefined ? {} : { region: options.region }),
      ...(options.profile === undefined ? {} : { profile: options.profile }),
      ...(options.requestHandler === undefined ? {} : { requestHandler: options.requestHandler }),
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    };
    this.ec2 = new EC2Client(this.#config);
    this.#sts = new STSClient(this.#config);
    this.objects = options.objects;
    this.clock = options.clock ?? systemClock;
    this.#caller = {
      clock: this.clock,
      random: options.random ?? Math.random,
      onRetry: options.onRetry ?? ((): void => undefined),
    };
  }

  /**
   * One API call that changes nothing, or that may be given up half-way. It is made again while that can help.
   * @throws BakeError `cloud` or `not-found` naming the action, `interrupted` when the signal fires.
   */
  async ask<T>(action: string, signal: AbortSignal, send: Send<T>, about: About<T> = {}): Promise<T> {
    throwIfAborted(signal);
    return await callWithRetries(this.#caller, { action, kind: "ask", about, send }, signal);
  }

  /**
   * One API call that creates something. It is never given up half-way, because then nobody would know whether the
   * thing exists; the caller registers the undo and looks at its signal afterwards.
   * @throws BakeError as {@link ask} does; `interrupted` only while it is certain that nothing was made.
   */
  async create<T>(action: string, signal: AbortSignal, send: Send<T>, about: About<T> = {}): Promise<T> {
    throwIfAborted(signal);
    return await callWithRetries(this.#caller, { action, kind: "create", about, send }, signal);
  }

  /**
   * The identity that calls, as an ARN.
   * @throws BakeError `cloud` when there are no usable credentials.
   */
  async callerArn(signal: AbortSignal): Promise<string> {
    const identity = await this.ask("sts:GetCallerIdentity", signal, (o) =>
      this.#sts.send(new GetCallerIdentityCommand({}), o),
    );
    if (identity.Arn === undefined) throw new BakeError("cloud", "STS does not say who is calling");
    return identity.Arn;
  }

  /**
   * The Region in use.
   * @throws BakeError `usage` when none is configured.
   */
  async region(): Promise<string> {
    try {
      return await this.ec2.config.region();
    } catch (error) {
      throw new BakeError("usage", `no AWS Region is set: ${messageOf(error)}`, {
        hint: "give --region, set AWS_REGION, or try it on this computer with --local",
      });
    }
  }

  /** The client of S3, loaded when somebody needs it. */
  async s3(): Promise<S3Client> {
    const { newClient } = await import("./s3-client.ts");
    this.#s3 ??= newClient(this.#config);
    return this.#s3;
  }

  /** The client of Systems Manager, loaded when somebody needs it. */
  async ssm(): Promise<SSMClient> {
    const { newClient } = await import("./ssm.ts");
    this.#ssm ??= newClient(this.#config);
    return this.#ssm;
  }

  /** The client of Auto Scaling, loaded when somebody needs it. */
  async autoScaling(): Promise<AutoScalingClient> {
    const { newClient } = await import("./auto-scaling.ts");
    this.#autoScaling ??= newClient(this.#config);
    return this.#autoScaling;
  }

  /** The client of SNS, loaded when somebody needs it. */
  async sns(): Promise<SNSClient> {
    const { newClient } = await import("./sns.ts");
    this.#sns ??= newClient(this.#config);
    return this.#sns;
  }

  close(): void {
    this.#autoScaling?.destroy();
    this.#sns?.destroy();
    this.#s3?.destroy();
    this.#ssm?.destroy();
    this.ec2.destroy();
    this.#sts.destroy();
  }
}

/**
 * A required member of a response.
 * @throws BakeError `cloud` when the cloud left it out.
 */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new BakeError("cloud", `the cloud's answer has no ${what}`);
  return value;
}

/** Every page of a listing, asked for one after the other. */
export async function allPages<Page extends { NextToken?: string | undefined }>(
  ask: (next: { NextToken?: string }) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = [];
  let token: string | undefined;
  do {
    const page = await ask(token === undefined ? {} : { NextToken: token });
    pages.push(page);
    token = page.NextToken === "" ? undefined : page.NextToken;
  } while (token !== undefined);
  return pages;
}
