import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";
import { viewOf } from "../imds/instance-view.ts";
import { machineCaller, userCaller, type Caller } from "./caller.ts";
import { claimedSession, credentialsOf, isSameText, roleKeyPrefix } from "./role-credentials.ts";

/** The user's credentials. They are no secret: the endpoint is on loopback, and files are the user's own. */
export const userKey = { accessKeyId: "local", secretAccessKey: "local" } as const;

/**
 * Who is served: `anyone` on this computer; or `machines`, which sign with the credentials of their roles, and have nothing
 * else of the user's than presigned URLs.
 */
export type Clients = "anyone" | "machines";

/** What a request says about its key. */
export interface KeyClaim {
  readonly accessKeyId: string;
  readonly token: string | undefined;
  /** Whether it is a presigned URL, and not signed by whoever sends it. */
  readonly presigned: boolean;
  /** By the cloud's clock, in milliseconds since the epoch. */
  readonly now: number;
}

export interface Key {
  readonly secretAccessKey: string;
  readonly caller: Caller;
}

/** Why a key is not taken. */
export type KeyProblem = "unknown key" | "bad token" | "expired token";

/** All keys with which a request for this cloud may be signed. */
export class KeyRing {
  readonly clients: Clients;
  readonly #stateFile: string;

  /** @param directory the cloud's, which holds the secrets of its instances and of nobody else's */
  constructor(directory: string, clients: Clients) {
    this.clients = clients;
    this.#stateFile = join(directory, "state.json");
  }

  /** The key that a request claims to be signed with, or why there is none. */
  async find(claim: KeyClaim): Promise<Key | KeyProblem> {
    const { accessKeyId, token, presigned } = claim;
    if (accessKeyId.startsWith(roleKeyPrefix)) return await this.#roleKey(claim);
    if (accessKeyId !== userKey.accessKeyId) return "unknown key";
    // A machine that signs as the user would be under no policy, and one without a role would seem to have one.
    if (this.clients === "machines" && !presigned) return "unknown key";
    if (token !== undefined) return "bad token";
    return { secretAccessKey: userKey.secretAccessKey, caller: userCaller() };
  }

  async #roleKey({ accessKeyId, token, now }: KeyClaim): Promise<Key | KeyProblem> {
    // Temporary keys are known only together with their token.
    if (token === undefined) return "unknown key";
    const session = claimedSession(token);
    if (session === undefined) return "bad token";
    const instance = viewOf(await this.#state(), session.instanceId);
    if (instance === undefined) return "bad token";
    const right = credentialsOf(session, instance.metadata.key);
    if (!isSameText(right.token, token)) return "bad token";
    if (right.accessKeyId !== accessKeyId) return "unknown key";
    if (now >= right.expiresAt) return "expired token";
    return { secretAccessKey: right.secretAccessKey, caller: machineCaller(session) };
  }

  async #state(): Promise<string> {
    try {
      return await readFile(this.#stateFile, "utf8");
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return "{}";
      throw error;
    }
  }
}
