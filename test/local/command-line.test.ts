import { expect, test } from "vitest";
import { commandLine, type Machine } from "../../src/local/qemu/command-line.ts";

const machine: Machine = {
  instance: {
    id: "i-0123456789abcdef0",
    type: "t3.micro",
    architecture: "x86_64",
    privateAddress: "169.254.1.16",
    publicAddress: "127.70.1.2",
    mac: "02:00:00:00:00:01",
    forwards: [
      { port: 22, hostPort: 22 },
      { port: 80, hostPort: 40080 },
    ],
  },
  accelerator: "tcg",
  cpus: 2,
  memoryMiB: 1024,
  directory: "/data/instances/i-0123456789abcdef0",
  diskFile: "/data/disks/disk-1.qcow2",
  boot: { kind: "kernel", kernel: "/data/vmlinuz", initrd: "/data/initrd", commandLine: "root=/dev/vda" },
  metadataCommand: ["/usr/bin/node", "/opt/imds.js", "/data/state.json", "i-0123456789abcdef0"],
  servicesCommand: ["/usr/bin/node", "/opt/services.js", "/data"],
};

/** The values of an option. */
function valuesOf(option: string, argv: readonly string[]): string[] {
  return argv.flatMap((word, index) => (argv[index - 1] === option ? [word] : []));
}

test("a Debian machine under emulation", () => {
  const argv = commandLine(machine);
  expect(argv[0]).toBe("qemu-system-x86_64");
  expect(valuesOf("-accel", argv)).toEqual(["tcg,thread=multi,tb-size=256"]);
  expect(valuesOf("-cpu", argv)).toEqual(["max"]);
  expect(valuesOf("-kernel", argv)).toEqual(["/data/vmlinuz"]);
  expect(valuesOf("-append", argv)).toEqual([
    "root=/dev/vda bake_ami.instance=i-0123456789abcdef0 bake_ami.address=169.254.1.16",
  ]);
  expect(valuesOf("-netdev", argv)).toEqual([
    "user,id=n0,net=169.254.0.0/16,host=169.254.0.2,dns=169.254.0.3,dhcpstart=169.254.1.16," +
      "hostfwd=tcp:127.70.1.2:22-169.254.1.16:22,hostfwd=tcp:127.70.1.2:40080-169.254.1.16:80," +
      "guestfwd=tcp:169.254.169.254:80-cmd:/usr/bin/node /opt/imds.js /data/state.json i-0123456789abcdef0," +
      "guestfwd=tcp:169.254.169.252:80-cmd:/usr/bin/node /opt/services.js /data",
  ]);
  expect(valuesOf("-pidfile", argv)).toEqual(["/data/instances/i-0123456789abcdef0/pid"]);
  // A full disk must stop the machine, not be told to it as an error.
  expect(valuesOf("-device", argv)[0]).toContain("werror=stop");
});

test("spaces and commas in paths reach QEMU as they are", () => {
  const home = "/data, of mine";
  const argv = commandLine({
    ...machine,
    directory: `${home}/instances/i-0123456789abcdef0`,
    diskFile: `${home}/disks/disk-1.qcow2`,
    boot: { kind: "kernel", kernel: `${home}/vmlinuz`, initrd: `${home}/initrd`, commandLine: "quiet" },
    metadataCommand: ["/usr/bin/node", "/opt/imds.js", `${home}/state.json`, "i-0123456789abcdef0"],
  });
  // In a list of values a comma is written twice; QEMU takes the command apart as a shell does.
  expect(valuesOf("-drive", argv)[0]).toContain("file=/data,, of mine/disks/disk-1.qcow2,format=qcow2");
  expect(valuesOf("-netdev", argv)[0]).toContain("/opt/imds.js '/data,, of mine/state.json' i-0");
  // These are no lists.
  expect(valuesOf("-kernel", argv)).toEqual(["/data, of mine/vmlinuz"]);
  expect(valuesOf("-initrd", argv)).toEqual(["/data, of mine/initrd"]);
  expect(valuesOf("-pidfile", argv)).toEqual(["/data, of mine/instances/i-0123456789abcdef0/pid"]);
  expect(valuesOf("-serial", argv)).toEqual(["file:console.log"]);
});

test("cloud-init can tell that it is on EC2, and on which instance", () => {
  const [system, board] = valuesOf("-smbios", commandLine(machine));
  expect(system).toMatch(
    /^type=1,manufacturer=Amazon EC2,.*uuid=ec2[0-9a-f]{5}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12},/,
  );
  expect(board).toBe("type=2,manufacturer=Amazon EC2,asset=i-0123456789abcdef0");
});

test("two instances never have one UUID: systemd makes the machine id of it", () => {
  const uuids = ["i-0123456789abcdef0", "i-1123456789abcdef0", "i-0123456789abcdef1"].map(
    (id) => valuesOf("-smbios", commandLine({ ...machine, instance: { ...machine.instance, id } }))[0],
  );
  expect(new Set(uuids).size).toBe(3);
});

test("with hardware behind it the processor is the computer's own", () => {
  const argv = commandLine({ ...machine, accelerator: "kvm" });
  expect(valuesOf("-accel", argv)).toEqual(["kvm"]);
  expect(valuesOf("-cpu", argv)).toEqual(["host"]);
});

test("an arm64 machine with its own boot loader gets firmware", () => {
  const instance = { ...machine.instance, architecture: "arm64" } as const;
  const argv = commandLine({ ...machine, instance, accelerator: "hvf", boot: { kind: "disk" } });
  expect(argv[0]).toBe("qemu-system-aarch64");
  expect(valuesOf("-machine", argv)).toEqual(["virt"]);
  expect(valuesOf("-bios", argv)).toEqual(["edk2-aarch64-code.fd"]);
  expect(argv).not.toContain("-kernel");
  expect(argv).not.toContain("-smbios");
});

test("commas and spaces in paths survive QEMU's two ways of quoting", () => {
  const argv = commandLine({
    ...machine,
    diskFile: "/my data, too/disk.qcow2",
    metadataCommand: ["node", "/my data, too/it's.js"],
  });
  expect(valuesOf("-drive", argv)[0]).toContain("file=/my data,, too/disk.qcow2,format=qcow2");
  expect(valuesOf("-netdev", argv)[0]).toContain(`-cmd:node '/my data,, too/it'\\''s.js'`);
});
