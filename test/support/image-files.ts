import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The files on a disk image with one ext4 filesystem and no partitions, without mounting it. */
export interface FilesOnDisk extends Disposable {
  /** Names in a directory; none when it does not exist. */
  list(directory: string): string[];
  content(file: string): string;
}

/** Opens a disk image with all that it backs on. */
export function filesOnDisk(image: string): FilesOnDisk {
  const scratch = mkdtempSync(join(tmpdir(), "bake-ami-disk-"));
  const raw = join(scratch, "raw");
  execFileSync("qemu-img", ["convert", "-O", "raw", image, raw]);
  // The journal of the filesystem may hold writes that are not yet in their place, as after any shutdown.
  try {
    execFileSync("e2fsck", ["-p", raw], { stdio: "pipe" });
  } catch {
    // Status 1 says that it mended something.
  }
  const debugfs = (command: string): string =>
    execFileSync("debugfs", ["-R", command, raw], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return {
    list: (directory) =>
      debugfs(`ls -p "${directory}"`)
        .split("\n")
        // /inode/mode/uid/gid/name/size/
        .map((line) => line.split("/")[5] ?? "")
        .filter((name) => name !== "" && name !== "." && name !== ".."),
    content: (file) => debugfs(`cat "${file}"`),
    [Symbol.dispose]: () => {
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
