import { mkdir, readdir, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BakeError, systemCodeOf } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";
import { isAlive, ownIdentity } from "../../base/process-identity.ts";
import { sleep } from "../../base/wait.ts";

/**
 * Takes the lock `<directory>/<name>`, which holds between processes and survives their being killed.
 *
 * The lock is a directory with one file, named after its owner. To take it, a directory made ready elsewhere is renamed
 * over it: the kernel refuses that while the lock is not empty and does it when the lock is empty or missing, so
 * there is no moment at which two own it. A dead owner's file is removed by its exact name, which no later owner
 * bears; however late that happens, it cannot take the lock away from anyone alive.
 *
 * @param deadlineSeconds how long to wait for it
 * @returns the release
 * @throws BakeError `timeout` naming the process that holds it, `interrupted`
 */
export async function acquireLock(
  directory: string,
  name: string,
  signal: AbortSignal,
  deadlineSeconds = 60,
): Promise<() => Promise<void>> {
  const lock = join(directory, name);
  const { pid, startedAt } = await ownIdentity();
  const owner = `${pid}-${startedAt}-${randomId(8)}`;
  const ready = join(directory, `${name}.${owner}`);
  await mkdir(ready, { mode: 0o700 });
  await writeFile(join(ready, owner), "");
  const giveUpAt = Date.now() + deadlineSeconds * 1000;
  try {
    for (let pause = 2; !(await renamed(ready, lock)); pause = Math.min(pause * 1.5, 40)) {
      const holder = await removeDeadOwner(directory, name);
      if (holder === undefined) continue;
      if (Date.now() > giveUpAt) {
        throw new BakeError("timeout", `process ${holder} has held ${lock} for ${deadlineSeconds} s`, {
          hint: `look at it with \`ps -p ${holder}\`; end it if it hangs`,
        });
      }
      await sleep(pause * (0.5 + Math.random()), signal);
    }
  } catch (error) {
    await rm(ready, { recursive: true, force: true });
    throw error;
  }
  return async () => {
    await unlink(join(lock, owner));
  };
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(systemCodeOf(error) ?? "")) return false;
    throw error;
  }
}

/** @returns the pid of a living owner, or undefined when the lock looks free now */
async function removeDeadOwner(directory: string, name: string): Promise<string | undefined> {
  const lock = join(directory, name);
  const [owner] = await listed(lock);
  if (owner === undefined) return undefined;
  if (await ownerAlive(owner)) return owner.slice(0, owner.indexOf("-"));
  await rm(join(lock, owner), { force: true });
  await sweep(directory, name);
  return undefined;
}

/** Removes what processes that were killed while they waited for the lock had made ready. */
async function sweep(directory: string, name: string): Promise<void> {
  for (const entry of await listed(directory)) {
    if (!entry.startsWith(`${name}.`)) continue;
    if (!(await ownerAlive(entry.slice(name.length + 1)))) {
      await rm(join(directory, entry), { recursive: true, force: true });
    }
  }
}

async function ownerAlive(owner: string): Promise<boolean> {
  const [pid = "", startedAt = ""] = owner.split("-");
  return await isAlive({ pid: Number(pid), startedAt });
}

async function listed(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return [];
    throw error;
  }
}
