import { shellCommand } from "../../base/quote.ts";
import type { Architecture, Boot, Forward, Instance } from "../state/schema.ts";

export type Accelerator = "kvm" | "hvf" | "tcg";

/** The names of a machine's files within its own directory, which is the working directory of its QEMU. */
export const machineFiles = { pid: "pid", qmp: "qmp.sock", console: "console.log", log: "qemu.log" } as const;

/** The network that every machine is alone on. */
export const network = {
  block: "169.254.0.0/16",
  gateway: "169.254.0.2",
  dns: "169.254.0.3",
  metadata: "169.254.169.254",
  /** Where machines find S3, Systems Manager, STS and EC2. */
  services: "169.254.169.252",
  id: "n0",
} as const;

export interface Machine {
  readonly instance: Pick<
    Instance,
    "id" | "type" | "architecture" | "privateAddress" | "publicAddress" | "mac" | "forwards"
  >;
  readonly accelerator: Accelerator;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Absolute paths. */
  readonly directory: string;
  readonly diskFile: string;
  readonly boot:
    | { readonly kind: "disk" }
    | {
        readonly kind: "kernel";
        readonly kernel: string;
        readonly initrd: string;
        readonly commandLine: string;
      };
  /** The program that answers one connection to the metadata service. */
  readonly metadataCommand: readonly string[];
  /** The program that answers one connection to the services. */
  readonly servicesCommand: readonly string[];
}

export function qemuProgram(architecture: Architecture): string {
  return architecture === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";
}

/** The QEMU command that is this machine. Pure. */
export function commandLine(machine: Machine): [string, ...string[]] {
  const { instance, directory } = machine;
  return [
    qemuProgram(instance.architecture),
    ...["-name", `guest=${instance.id}`],
    ...["-no-user-config", "-nodefaults", "-display", "none"],
    ...platformArguments(instance.architecture, machine.accelerator),
    ...["-smp", String(machine.cpus), "-m", String(machine.memoryMiB), "-rtc", "base=utc"],
    ...(instance.architecture === "x86_64" ? smbios(instance) : []),
    ...bootArguments(machine.boot, instance),
    // A full disk of this computer stops the machine, where it can be seen, instead of damaging its file system.
    // Flushes need not reach this computer's disk: an image is written out when it is made.
    ...[
      "-drive",
      `file=${escaped(machine.diskFile)},format=qcow2,if=none,id=root,cache=unsafe,discard=unmap`,
    ],
    ...["-device", "virtio-blk-pci,drive=root,werror=stop,rerror=stop"],
    ...["-netdev", netdev(machine)],
    // Without its ROM, which would only try to boot from the network.
    ...["-device", `virtio-net-pci,netdev=${network.id},mac=${instance.mac},romfile=`],
    ...["-device", "virtio-rng-pci"],
    ...["-serial", `file:${machineFiles.console}`],
    ...["-qmp", `unix:${machineFiles.qmp},server=on,wait=off`],
    // Absolute: by this argument the process is known to be this machine's.
    ...["-pidfile", `${directory}/${machineFiles.pid}`],
  ];
}

/** The kind of computer that QEMU is to be; the same for a probe as for a machine. */
export function platformArguments(architecture: Architecture, accelerator: Accelerator): string[] {
  const machine = architecture === "arm64" ? "virt" : "pc,vmport=off";
  const accel = accelerator === "tcg" ? "tcg,thread=multi,tb-size=256" : accelerator;
  return ["-machine", machine, "-accel", accel, "-cpu", accelerator === "tcg" ? "max" : "host"];
}

/** What EC2's own hypervisor tells a system about itself: cloud-init knows EC2 by it. */
function smbios({ id, type }: Pick<Instance, "id" | "type">): string[] {
  const hex = id.replace(/^i-/, "").padEnd(17, "0");
  const uuid = `ec2${hex.slice(0, 5)}-${hex.slice(5, 9)}-4${hex.slice(9, 12)}-8${hex.slice(12, 15)}-${hex.slice(-12)}`;
  return [
    "-smbios",
    `type=1,manufacturer=Amazon EC2,product=${type},uuid=${uuid},serial=${uuid}`,
    "-smbios",
    `type=2,manufacturer=Amazon EC2,asset=${id}`,
  ];
}

function bootArguments(boot: Machine["boot"], instance: Machine["instance"]): string[] {
  if (boot.kind === "disk") return instance.architecture === "arm64" ? ["-bios", "edk2-aarch64-code.fd"] : [];
  const own = `bake_ami.instance=${instance.id} bake_ami.address=${instance.privateAddress}`;
  return ["-kernel", boot.kernel, "-initrd", boot.initrd, "-append", `${boot.commandLine} ${own}`];
}

function netdev({ instance, metadataCommand, servicesCommand }: Machine): string {
  return [
    `user,id=${network.id},net=${network.block},host=${network.gateway},dns=${network.dns}`,
    `dhcpstart=${instance.privateAddress}`,
    ...instance.forwards.map((forward) => `hostfwd=${forwardRule(instance, forward)}`),
    `guestfwd=tcp:${network.metadata}:80-cmd:${escaped(shellCommand(metadataCommand))}`,
    `guestfwd=tcp:${network.services}:80-cmd:${escaped(shellCommand(servicesCommand))}`,
  ].join(",");
}

/** A port of this computer and the machine's port behind it, as QEMU writes it. */
export function forwardRule(
  instance: Pick<Instance, "publicAddress" | "privateAddress">,
  { port, hostPort }: Forward,
): string {
  return `tcp:${instance.publicAddress ?? ""}:${hostPort}-${instance.privateAddress}:${port}`;
}

/** In a value of QEMU's options a comma is written twice. */
function escaped(value: string): string {
  return value.replaceAll(",", ",,");
}

/** The kernel and initrd of an image that brings them along. */
export function bootOf(boot: Boot, directory: string): Machine["boot"] {
  if (boot.kind === "disk") return boot;
  return {
    kind: "kernel",
    kernel: `${directory}/boot/${boot.id}/vmlinuz`,
    initrd: `${directory}/boot/${boot.id}/initrd`,
    commandLine: boot.commandLine,
  };
}
