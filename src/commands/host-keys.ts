import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cloud } from "../aws/cloud.ts";
import { waitForHostKeys } from "../launch/wait-host-keys.ts";
import { dataDirectory } from "./data-directory.ts";

type Environment = Readonly<Record<string, string | undefined>>;

function directoryOf(environment: Environment): string {
  return join(dataDirectory(environment), "host-keys");
}

/** The host keys of one owner's machines in one Region, as their consoles showed them. */
export class HostKeys {
  readonly #cloud: Cloud;
  readonly #directory: string;

  private constructor(cloud: Cloud, directory: string) {
    this.#cloud = cloud;
    this.#directory = directory;
  }

  static async open(cloud: Cloud, owner: string, environment: Environment): Promise<HostKeys> {
    const whose = createHash("sha256").update(owner).digest("hex").slice(0, 12);
    return new HostKeys(cloud, join(directoryOf(environment), `${await cloud.region()}-${whose}`));
  }

  /**
   * The host keys from the machine's console; remembered, because a console keeps its newest output alone.
   * @throws BakeError `timeout` when it shows none
   */
  async of(id: string, signal: AbortSignal): Promise<string[]> {
    const file = join(this.#directory, id);
    try {
      return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
    } catch {
      // Not seen yet.
    }
    const keys = await waitForHostKeys(this.#cloud, id, signal);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(file, `${keys.join("\n")}\n`, { mode: 0o600 });
    } catch {
      // They are read from the console again next time.
    }
    return keys;
  }

  /** Forgets machines that are gone. */
  async forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      if (/^i-[0-9a-f]+$/.test(id))
        await rm(join(this.#directory, id), { force: true }).catch(() => undefined);
    }
  }

  /** Forgets all machines but these, which are all that there are. */
  async forgetOthers(ids: readonly string[]): Promise<void> {
    const remembered = await readdir(this.#directory).catch(() => []);
    await this.forget(remembered.filter((id) => !ids.includes(id)));
  }
}

/** Forgets every machine of the cloud on this computer. */
export async function forgetLocalHostKeys(environment: Environment): Promise<void> {
  const directory = directoryOf(environment);
  for (const name of await readdir(directory).catch(() => [])) {
    if (name.startsWith("local-")) await rm(join(directory, name), { recursive: true, force: true });
  }
}
