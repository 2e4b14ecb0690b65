import { throwIfAborted } from "../base/wait.ts";
import { bestAccelerator } from "./qemu/acceleration.ts";
import { bootOf } from "./qemu/command-line.ts";
import { diskFile } from "./qemu/disk-files.ts";
import { Store } from "./state/store.ts";

const titles = {
  kvm: "KVM",
  hvf: "Apple's Hypervisor framework",
  tcg: "none: machines are emulated in software, which is slow but works",
} as const;

/** How local machines run on this computer, in words; probed when that is not known yet, which takes some seconds. */
export async function accelerationOf(options: { directory: string; signal: AbortSignal }): Promise<string> {
  throwIfAborted(options.signal);
  const { images, snapshots } = await new Store(options.directory).read();
  const [image] = images;
  if (image === undefined) return "not known before there is a base image: `bake-ami local setup`";
  const boot = bootOf(image.boot, options.directory);
  const disk = snapshots.find(({ id }) => id === image.snapshotId)?.disk ?? "";
  const probe =
    boot.kind === "kernel" ? boot : ({ kind: "disk", file: diskFile(options.directory, disk) } as const);
  return titles[await bestAccelerator(options.directory, image.architecture, probe)];
}
