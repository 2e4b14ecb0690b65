import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { BakeError, messageOf, systemCodeOf } from "../base/errors.ts";
import { randomId, runStartedAt, Secret } from "../base/ids.ts";
import { isAlive, ownIdentity } from "../base/process-identity.ts";
import type { Listener } from "../report/events.ts";
import { dataDirectory } from "./data-directory.ts";

/**
 * What this computer alone knows of a run: the keys of its builder, and which process works on it. What exists in the
 * cloud is not in here: that only its tags say.
 */
export interface RunRecord {
  readonly run: string;
  readonly services: readonly string[];
  /** The private key that the builder lets in, in OpenSSH's format. */
  readonly loginKey: Secret;
  /** The builder's host key, public half. */
  readonly hostKey: string;
  readonly instanceId?: string;
}

const workSchema = z.object({
  run: z.string(),
  pid: z.number().int().positive(),
  pidStartedAt: z.string(),
});

const keysSchema = z.object({
  services: z.array(z.string()),
  loginKey: z.string(),
  hostKey: z.string(),
  instanceId: z.string().optional(),
});

/** A run without a builder, such as a launch, has no keys to keep. */
const fileSchema = z.union([workSchema.extend(keysSchema.shape), workSchema.strict()]);

type Stored = z.infer<typeof fileSchema>;

/** No builder lives so long; a record that its run left behind is of no use any more. */
const longestLifeMs = 30 * 24 * 3600 * 1000;

/** The records of this user's runs, in the data directory. */
export function openRunRecords(
  environment: Readonly<Record<string, string | undefined>>,
  listener: Listener,
): RunRecords {
  return new RunRecords(join(dataDirectory(environment), "runs"), (message, hint) => {
    listener({ type: "warning", at: Date.now(), message, hint });
  });
}

/** One file a run; each is written whole, for its owner's eyes only. */
export class RunRecords {
  readonly #directory: string;
  readonly #warn: (message: string, hint: string) => void;
  readonly #warned = new Set<string>();

  /** @param warn told of each file that cannot be read, once */
  constructor(directory: string, warn: (message: string, hint: string) => void) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /**
   * Keeps a record, as one that the calling process works on.
   * @throws BakeError `failed` when it cannot be written.
   */
  async save(record: RunRecord): Promise<void> {
    const { run, services, loginKey, hostKey, instanceId } = record;
    await this.#write(run, {
      services: [...services],
      loginKey: loginKey.reveal(),
      hostKey,
      ...(instanceId === undefined ? {} : { instanceId }),
    });
  }

  /**
   * Says that the calling process works on a run that has no builder.
   * @throws BakeError `failed` when it cannot be written.
   */
  async claim(run: string): Promise<void> {
    await this.#write(run, {});
  }

  async #write(run: string, keys: z.infer<typeof keysSchema> | Record<string, never>): Promise<void> {
    const { pid, startedAt } = await ownIdentity();
    const stored: Stored = { run, pid, pidStartedAt: startedAt, ...keys };
    const file = this.#file(run);
    const aside = `${file}.${randomId(6)}.new`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(aside, `${JSON.stringify(stored, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
      await rename(aside, file);
    } catch (error) {
      // The failure itself is what counts.
      await rm(aside, { force: true }).catch(() => undefined);
      throw new BakeError("failed", `the record of run ${run} cannot be kept: ${messageOf(error)}`, {
        cause: error,
        hint: `make ${this.#directory} writable, or choose another place with BAKE_AMI_DATA_DIR`,
      });
    }
  }

  /** The record of a run's builder, or undefined when there is none that can be read. */
  async load(run: string): Promise<RunRecord | undefined> {
    const stored = await this.#read(run);
    return stored === undefined ? undefined : recordOf(stored);
  }

  /** Forgets a run; one that is not known is fine. */
  async remove(run: string): Promise<void> {
    if (isRunId(run)) await rm(this.#file(run), { force: true });
  }

  /** Every record of a builder that can be read, oldest run first. */
  async all(): Promise<RunRecord[]> {
    const runs = await this.#runs();
    const stored = await Promise.all(runs.map((run) => this.#read(run)));
    return stored.flatMap((each) => (each === undefined ? [] : (recordOf(each) ?? [])));
  }

  /** Whether the process that wrote a run's record still runs, here and now. */
  async isLive(run: string): Promise<boolean> {
    const stored = await this.#read(run);
    return stored !== undefined && (await isAlive({ pid: stored.pid, startedAt: stored.pidStartedAt }));
  }

  /** Forgets runs that began so long ago that nothing of them can be left, and what a killed process left half written. */
  async prune(now: number): Promise<void> {
    for (const name of await this.#names()) {
      const startedAt = runStartedAt(name.split(".")[0] ?? "");
      if (startedAt !== undefined && now - startedAt > longestLifeMs) {
        await rm(join(this.#directory, name), { force: true });
      }
    }
  }

  async #read(run: string): Promise<Stored | undefined> {
    if (!isRunId(run)) return undefined;
    const file = this.#file(run);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return undefined;
      this.#complain(file, messageOf(error));
      return undefined;
    }
    const stored = fileSchema.safeParse(parsed(text));
    if (stored.success && stored.data.run === run) return stored.data;
    this.#complain(file, "it is damaged");
    return undefined;
  }

  #complain(file: string, why: string): void {
    if (this.#warned.has(file)) return;
    this.#warned.add(file);
    this.#warn(
      `${file} cannot be read: ${why}`,
      `delete it; \`bake-ami cleanup\` works without it, only --resume of that run does not`,
    );
  }

  async #runs(): Promise<string[]> {
    const names = await this.#names();
    const runs = names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
    return runs.filter(isRunId).sort();
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  #file(run: string): string {
    return join(this.#directory, `${run}.json`);
  }
}

/** Run ids come from tags too, and anybody may write those: none may lead out of the directory. */
function isRunId(text: string): boolean {
  return runStartedAt(text) !== undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function recordOf(stored: Stored): RunRecord | undefined {
  if (!("loginKey" in stored)) return undefined;
  const { run, services, loginKey, hostKey, instanceId } = stored;
  return {
    run,
    services,
    loginKey: new Secret(loginKey),
    hostKey,
    ...(instanceId === undefined ? {} : { instanceId }),
  };
}
