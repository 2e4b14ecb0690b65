import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { lstatSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BakeError } from "../../src/base/errors.ts";
import { copyFiles, type CopyCounts } from "../../src/machine/files/copy.ts";
import { LocalSide } from "../../src/machine/files/local-side.ts";
import { openFiles, readPlace, type MachineFiles } from "../../src/machine/files/machine-files.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { Event } from "../../src/report/events.ts";
import { Forwarder } from "../support/forwarder.ts";
import { bootMachine, freePort, noTestMachines, type TestMachine } from "../support/nspawn.ts";

const never = new AbortController().signal;
const home = "/home/admin";

describe.skipIf(noTestMachines !== undefined)(`copies to and from a machine ${noTestMachines ?? ""}`, () => {
  let host: TestMachine;
  let machine: Machine;
  let files: MachineFiles;
  let here: string;
  let events: Event[];
  const local = new LocalSide();

  beforeAll(async () => {
    host = await bootMachine();
    machine = new Machine(host.ssh, { deadlineSeconds: 20 });
    files = await openFiles(machine, "m", never);
  });
  afterAll(async () => {
    files[Symbol.dispose]();
    await machine[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    here = mkdtempSync(join(tmpdir(), "bake-ami-cp-"));
    events = [];
  });
  afterEach(async () => {
    rmSync(here, { recursive: true, force: true });
    await there(`sudo rm -rf ${home}/* ${home}/.bake-ami*`);
  });

  async function there(command: string): Promise<string> {
    const result = await machine.exec(command, { signal: never });
    if (result.status !== 0) throw new Error(`${command}: ${result.stderr}`);
    return result.stdout;
  }

  /** As the words of `cp`: `m:` is the machine, all else is within `here`. */
  async function cp(...words: string[]): Promise<CopyCounts> {
    return await cpWith(never, files, ...words);
  }

  async function cpWith(signal: AbortSignal, on: MachineFiles, ...words: string[]): Promise<CopyCounts> {
    const places = words.map((word) => {
      const { machine: name, path } = readPlace(word);
      return name === undefined ? { side: local, path: join(here, path) } : { side: on.side, path };
    });
    const destination = places.pop();
    if (destination === undefined) throw new Error("no destination");
    return await copyFiles({ sources: places, destination, listener: (event) => events.push(event), signal });
  }

  async function refusal(...words: string[]): Promise<string> {
    const error: unknown = await cp(...words).catch((thrown: unknown) => thrown);
    if (!(error instanceof BakeError)) throw new Error(`no refusal but ${String(error)}`);
    return `${error.kind}: ${error.message.replaceAll(`${here}/`, "")}`;
  }

  const write = (path: string, content: string | Buffer, mode = 0o644): void => {
    writeFileSync(join(here, path), content);
    chmodSync(join(here, path), mode);
    utimesSync(join(here, path), 1_000_000_000, 1_100_000_000);
  };

  test("a file there and back, with its permissions and times; an empty one too", async () => {
    write("run.sh", "#!/bin/sh\n", 0o750);
    write("empty", "");
    await cp("run.sh", "empty", "m:");
    expect(await there(`stat -c '%n %a %s %X %Y' ${home}/run.sh ${home}/empty`)).toBe(
      `${home}/run.sh 750 10 1000000000 1100000000\n${home}/empty 644 0 1000000000 1100000000\n`,
    );
    expect(await cp("m:run.sh", "back")).toEqual({ files: 1, directories: 0, links: 0, bytes: 10 });
    const { mode, mtimeMs } = statSync(join(here, "back"));
    expect([mode & 0o7777, mtimeMs]).toEqual([0o750, 1_100_000_000_000]);
    expect(readFileSync(join(here, "back"), "utf8")).toBe("#!/bin/sh\n");
    await cp("m:empty", "m:~/run.sh", ".");
    expect(statSync(join(here, "empty")).size).toBe(0);
  });

  test("a directory with all that is in it: odd names, links as links, an unwritable directory", async () => {
    mkdirSync(join(here, "tree/sub dir"), { recursive: true });
    mkdirSync(join(here, "tree/locked"));
    write("tree/sub dir/new\nline 'quoted' $HOME", "1");
    write("tree/-rf *", "2");
    write("tree/ümlaut", "3");
    write("tree/locked/file", "4", 0o400);
    symlinkSync("sub dir/absent", join(here, "tree/dangling"));
    symlinkSync("/etc", join(here, "tree/absolute"));
    chmodSync(join(here, "tree/locked"), 0o555);
    utimesSync(join(here, "tree/locked"), 1_000_000_000, 1_100_000_000);
    const counts = await cp("tree", "m:~/");
    expect(counts).toMatchObject({ files: 4, directories: 3, links: 2, bytes: 4 });
    expect(await there(`cd ${home}/tree && find . -printf '%y %m %P %l\\n' | LC_ALL=C sort`)).toBe(
      [
        "d 555 locked ",
        "d 755  ",
        "d 755 sub dir ",
        "f 400 locked/file ",
        "f 644 -rf * ",
        "f 644 sub dir/new",
        "f 644 ümlaut ",
        "l 777 absolute /etc",
        "l 777 dangling sub dir/absent",
        "line 'quoted' $HOME ",
        "",
      ].join("\n"),
    );
    expect(await there(`stat -c %Y ${home}/tree/locked`)).toBe("1100000000\n");
    // And back, under a new name; then once more into the same, which changes nothing but adds what is new.
    await cp("m:tree", "copy");
    expect(readdirSync(join(here, "copy")).sort()).toEqual(readdirSync(join(here, "tree")).sort());
    expect(readlinkSync(join(here, "copy/absolute"))).toBe("/etc");
    expect(lstatSync(join(here, "copy/locked")).mode & 0o777).toBe(0o555);
    await there(`echo more > ${home}/tree/more`);
    await cp("m:tree/.", "copy");
    expect(readFileSync(join(here, "copy/more"), "utf8")).toBe("more\n");
  });

  test("the set-user-id bit is not carried; a link that is named is followed, and so is one that is written to", async () => {
    await there("sudo install -m 4755 /bin/true ~/true && echo old > real && ln -s real alias");
    await cp("m:true", ".");
    expect(statSync(join(here, "true")).mode & 0o7777).toBe(0o755);
    await cp("m:alias", "alias");
    expect(lstatSync(join(here, "alias")).isFile()).toBe(true);
    write("new", "new\n");
    await cp("new", "m:alias");
    expect(await there("readlink alias; cat real")).toBe("real\nnew\n");
  });

  test("64 MB each way: whole, in bounded memory, with progress", async () => {
    const content = randomBytes(64 * 1024 * 1024 + 17);
    write("big", content);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const sampler = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 20);
    const startedAt = Date.now();
    await cp("big", "m:big");
    const between = Date.now();
    await cp("m:big", "again");
    clearInterval(sampler);
    const rate = (ms: number): string => `${(content.length / 1000 / ms).toFixed(0)} MB/s`;
    console.log(`up ${rate(between - startedAt)}, down ${rate(Date.now() - between)}`);
    expect(readFileSync(join(here, "again")).equals(content)).toBe(true);
    expect(most - before).toBeLessThan(40 * 1024 * 1024);
    const seen = events.flatMap((event) => (event.type === "copying" ? [event] : []));
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)).toMatchObject({ bytes: content.length, total: content.length, files: 1 });
  });

  test("one whose size nobody knows: a file of /proc", async () => {
    await cp("m:/proc/cpuinfo", ".");
    expect(readFileSync(join(here, "cpuinfo"), "utf8")).toContain("processor");
  });

  test("an interruption leaves nothing half: the old file stays, and no part of the new one", async () => {
    await there("echo old > big");
    write("big", randomBytes(64 * 1024 * 1024));
    const abort = new AbortController();
    const copying = cpWith(abort.signal, files, "big", "m:big").catch((thrown: unknown) => thrown);
    while (!events.some((event) => event.type === "copying")) await new Promise((r) => setTimeout(r, 5));
    abort.abort(new BakeError("interrupted", "interrupted by SIGINT"));
    expect(await copying).toMatchObject({ kind: "interrupted" });
    expect(await there("ls -A | grep -v '^\\.[bps]'; ls -A | grep part || true; cat big")).toBe("big\nold\n");
  });

  test("a connection that is lost leaves nothing under the final name here either", async () => {
    const port = await freePort();
    await using forwarder = await Forwarder.open(port, host.sshPort);
    await using through = new Machine({ ...host.ssh, port }, { deadlineSeconds: 20 });
    using on = await openFiles(through, "m", never);
    await there("head -c 64M /dev/urandom > big");
    const copying = cpWith(never, on, "m:big", "big").catch((thrown: unknown) => thrown);
    while (!events.some((event) => event.type === "copying")) await new Promise((r) => setTimeout(r, 5));
    forwarder.cut();
    expect(await copying).toMatchObject({ kind: "connection" });
    expect(readdirSync(here)).toEqual([]);
  });

  test("what does not fit is told in one message, before anything is copied", async () => {
    write("a", "a");
    mkdirSync(join(here, "dir"));
    expect(await refusal("nope", "m:")).toBe("usage: there is no nope");
    expect(await refusal("m:nope", ".")).toBe("usage: there is no m:nope");
    expect(await refusal("a", "m:nope/")).toBe("usage: there is no directory m:nope/");
    expect(await refusal("a", "m:nope/a")).toBe("usage: there is no directory m:nope");
    expect(await refusal("a", "dir", "m:nope")).toMatch(/^usage: m:nope is no directory/);
    expect(await refusal("m:/dev/null", ".")).toMatch(/neither a file nor a directory/);
    await there("echo x > file && mkdir d");
    expect(await refusal("dir", "m:file")).toMatch(/^usage: m:file is no directory/);
    expect(await refusal("m:d", "m:d/e")).toBe("usage: m:d cannot be copied into itself");
    expect(await refusal("m:file", "m:~/file")).toBe("usage: m:file cannot be copied onto itself");
    await cp("m:file", "m:d");
    expect(await there("cat d/file")).toBe("x\n");
    await there("rm d/file; mkdir d/a");
    expect(await refusal("a", "m:d")).toBe("failed: cannot write m:d/a: it is a directory");
    expect(() => readPlace("m:~root/x")).toThrow(/~root is not known here/);
    expect(readPlace("./a:b")).toEqual({ machine: undefined, path: "./a:b" });
  });

  test("no permission, and a full disk: one clear message, and nothing half", async () => {
    write("a", "a");
    expect(await refusal("a", "m:/root/a")).toMatch(/m:\/root.*: permission denied for admin$/);
    expect(await refusal("a", "m:/etc/a")).toBe("failed: cannot write m:/etc/a: permission denied for admin");
    expect(await refusal("m:/etc/shadow", ".")).toMatch(/cannot read m:\/etc\/shadow: permission denied/);
    await there("mkdir small && sudo mount -t tmpfs -o size=1m,mode=777 none small");
    write("large", randomBytes(3_000_000));
    try {
      expect(await refusal("large", "m:small")).toBe(
        "failed: cannot write m:small/large: the disk of the machine is full",
      );
      expect(await there("ls -A small")).toBe("");
    } finally {
      await there("sudo umount small");
    }
  });
});
