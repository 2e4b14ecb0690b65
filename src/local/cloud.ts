import { messageOf, BakeError } from "../base/errors.ts";
import { dryRunSucceeded, type Context } from "./actions/action.ts";
import { failureReply, readRequest, runAction, serviceFor, type Reply } from "./api.ts";
import type { Engine } from "./engine/engine.ts";
import { ConnectionLost } from "./faults/call-faults.ts";
import { Supervisor, type ChangeHook } from "./engine/supervisor.ts";
import type { Caller } from "./identity/caller.ts";
import { KeyRing, type Clients } from "./identity/key-ring.ts";
import { callerOf } from "./identity/signed-call.ts";
import { ApiError } from "./protocol/errors.ts";
import type { QueryNode } from "./protocol/query.ts";
import { ObjectService } from "./s3/service.ts";
import { Store } from "./state/store.ts";
import type { State } from "./state/schema.ts";

/** One HTTP request, however it came here. */
export interface LocalRequest {
  readonly method: string;
  readonly path: string;
  /** The part behind the question mark, without it. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface LocalResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One call of the API, as someone sees it who stands between the client and the cloud. */
export interface Call {
  readonly service: string;
  readonly action: string;
  readonly caller: Caller;
  readonly region: string;
  readonly query: Readonly<Record<string, QueryNode>>;
}

/**
 * Stands between the client and the cloud: may refuse a call (by an {@link ApiError}), delay it, carry it out and lose
 * the reply, or change the reply. This is where misbehaviour on demand goes.
 */
export type Interceptor = (call: Call, carryOut: () => Promise<Reply>) => Promise<Reply>;

/**
 * What a call may see of the state.
 * @throws ApiError when it names what it may not see
 */
export type Visibility = (call: Call, state: State) => (state: State) => State;

export interface LocalCloudOptions {
  /** Where the cloud keeps its state. */
  readonly directory: string;
  /** What machines run on; the first is for new instances. */
  readonly engines: readonly Engine[];
  readonly intercept?: Interceptor;
  readonly onChange?: ChangeHook;
  readonly visibility?: Visibility;
  /** Who is served; anyone when absent. */
  readonly clients?: Clients;
  /** The cloud's clock, in milliseconds since the epoch. */
  readonly now?: () => number;
}

/** An EC2-compatible cloud on this computer, with an S3-compatible object store beside it. */
export class LocalCloud {
  readonly directory: string;
  /** Answers S3's requests: their bodies are streams, and they are addressed and signed in another way. */
  readonly objects: ObjectService;
  readonly #store: Store;
  readonly #machines: Supervisor;
  readonly #keys: KeyRing;
  readonly #intercept: Interceptor;
  readonly #visibility: Visibility | undefined;
  readonly #now: () => number;

  constructor(options: LocalCloudOptions) {
    this.directory = options.directory;
    this.#store = new Store(options.directory);
    this.#now = options.now ?? Date.now;
    const { engines, onChange } = options;
    const { signal } = new AbortController();
    this.#machines = new Supervisor(this.#store, engines, this.#now, signal, onChange);
    this.#visibility = options.visibility;
    this.#intercept = options.intercept ?? (async (_, carryOut) => await carryOut());
    const { directory } = options;
    this.#keys = new KeyRing(directory, options.clients ?? "anyone");
    this.objects = new ObjectService({
      directory,
      keys: this.#keys,
      intercept: this.#intercept,
      now: this.#now,
    });
  }

  /**
   * Answers one request.
   * @throws BakeError for what is no matter of the API, such as a missing QEMU or a damaged state file
   * @throws ConnectionLost when there is no answer because the fault plan says so
   */
  async handle(request: LocalRequest): Promise<LocalResponse> {
    const reply = await this.#reply(request);
    return {
      status: reply.status,
      headers: { "content-type": reply.contentType, "x-amzn-requestid": reply.requestId },
      body: reply.body,
    };
  }

  async #reply(request: LocalRequest): Promise<Reply> {
    try {
      if (request.path !== "/") throw new ApiError("InvalidAction", `Nothing is at ${request.path}`, 404);
      const asked = readRequest(request);
      const { service, action, query } = asked;
      const region = regionOf(request);
      const clocks = { now: this.#now, system: Date.now };
      const caller = await callerOf({ ...request, service: service.name }, this.#keys, clocks);
      const call = { service: service.name, action, caller, region, query };
      return await this.#intercept(call, async () => {
        // In here so that an interceptor sees errors as the replies that they are.
        try {
          const view = await this.#visibleTo(call);
          return await runAction(asked, (dryRun) => this.#context(caller, region, dryRun, view));
        } catch (error) {
          if (error instanceof ApiError) return failureReply(service, error);
          throw error;
        }
      });
    } catch (error) {
      if (error instanceof ApiError) return failureReply(serviceFor(request), error);
      if (error instanceof BakeError || error instanceof ConnectionLost) throw error;
      throw new BakeError("failed", `the local cloud failed: ${messageOf(error)}`, { cause: error });
    }
  }

  async #visibleTo(call: Call): Promise<(state: State) => State> {
    return this.#visibility?.(call, await this.#store.read()) ?? ((state) => state);
  }

  #context(caller: Caller, region: string, dryRun: boolean, view: (state: State) => State): Context {
    const machines = this.#machines;
    return {
      caller,
      region,
      now: this.#now,
      machines,
      read: async () => view(await machines.reconciled()),
      change: async <T>(work: (draft: State) => T | Promise<T>): Promise<T> => {
        await machines.reconciled();
        return await machines.change(async (draft) => {
          const result = await work(draft);
          if (dryRun) throw dryRunSucceeded();
          return result;
        });
      },
    };
  }
}

/** The Region is in the scope of the signature, else in the host name. */
function regionOf({ headers }: LocalRequest): string {
  const scope = /Credential=[^/,]+\/\d{8}\/([a-z0-9-]+)\//.exec(headers["authorization"] ?? "")?.[1];
  const host = /^(?:ec2|sts|ssm)\.([a-z0-9-]+)\./.exec(headers["host"] ?? "")?.[1];
  return scope ?? host ?? "local";
}
