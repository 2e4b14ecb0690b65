// What test machines need of this computer: their shared root, their traces, processes and ports.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const support = import.meta.dirname;

/** The scratch directory and the control groups of a machine that has ended. */
export async function removeTraces(scratch: string): Promise<void> {
  const name = basename(scratch).toLowerCase();
  for (const hierarchy of ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"]) {
    const group = join(hierarchy, name);
    // Killed processes leave their group a moment later than they die.
    for (let tries = 0; existsSync(group) && tries < 50; tries += 1) {
      spawnSync("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], { stdio: "ignore" });
      if (existsSync(group)) await sleep(20);
    }
  }
  await rm(scratch, { recursive: true, force: true });
}

/** Removes what machines of processes that were killed left in the temporary directory. */
export async function sweep(): Promise<void> {
  for (const entry of readdirSync(tmpdir())) {
    const pid = /^bake-ami-machine-(\d+)-/.exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeTraces(join(tmpdir(), entry));
  }
}

/** The root filesystem that all test machines share; named by its recipe, kept between runs. */
export async function sharedRoot(): Promise<string> {
  const recipe = join(support, "make-test-root.sh");
  const digest = createHash("sha256").update(readFileSync(recipe)).digest("hex").slice(0, 12);
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const target = join(cache, "bake-ami", `test-root-${digest}`);
  if (existsSync(target)) return target;
  const maker = spawn("sh", [recipe, target], { stdio: ["ignore", "ignore", "inherit"] });
  const status = await new Promise<number | null>((resolve, reject) => {
    maker.on("error", reject).on("close", resolve);
  });
  if (status !== 0) throw new Error(`${recipe} failed with status ${String(status)}`);
  return target;
}

/** The child processes of a process, none when it has ended. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** The name of a process's program, empty when it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no port"));
      });
    });
  });
}

/** Whether something that speaks SSH answers: an accepted connection alone may be someone else's. */
export async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(1000);
    const end = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("data", (data) => {
      end(data.toString().startsWith("SSH-"));
    });
    socket.once("error", () => {
      end(false);
    });
    socket.once("close", () => {
      end(false);
    });
    socket.once("timeout", () => {
      end(false);
    });
  });
}
