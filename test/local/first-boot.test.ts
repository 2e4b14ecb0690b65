import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { builderUserData } from "../../src/bake/user-data.ts";
import { newKeyPair } from "../../src/local/key-format.ts";
import { guestDirectory } from "../../src/local/setup/debian.ts";
import { Secret } from "../../src/base/ids.ts";

const script = join(guestDirectory(), "root/usr/lib/local-cloud/first-boot");
const shells = ["dash", "bash"].filter((shell) => spawnSync(shell, ["-c", ":"]).status === 0);

/** Of a builder. */
const expires = new Date("2030-01-01T00:00:00Z");

let root: string;
let programs: string;

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** A curl that answers out of a directory, as the real one does with `--fail`; the token is checked. */
const curl = `#!/bin/sh
set -eu
echo "$*" >>"$FAKE/calls"
[ ! -e "$FAKE/down" ] || exit 7
out=''
while [ $# -gt 0 ]; do
	case $1 in
	-o) out=$2; shift ;;
	-H) case $2 in *token:*) [ "$2" = 'X-aws-ec2-metadata-token: TOKEN' ] ;; esac; shift ;;
	http://*/api/token) printf TOKEN ;;
	http://*)
		file=$FAKE/$(basename "$1")
		[ ! -f "$file" ] || cp "$file" "$out"
		;;
	esac
	shift
done
`;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bake-ami-first-boot-"));
  programs = join(root, "programs");
  for (const [name, text] of Object.entries({
    curl,
    chown: "#!/bin/sh\n",
    // This computer's own systemd must hear nothing of it.
    "systemd-run": '#!/bin/sh\necho "systemd-run $*" >>"$FAKE/calls"\n',
    resize2fs: '#!/bin/sh\necho resized >>"$FAKE/calls"\n',
  })) {
    write(`programs/${name}`, text);
    chmodSync(join(programs, name), 0o755);
  }
  for (const directory of ["etc/ssh", "home/admin/.ssh", "run", "proc/sys/kernel", "fake", "var/lib"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  write("proc/cmdline", "root=/dev/vda bake_ami.instance=i-1 bake_ami.address=169.254.1.16\n");
  write("fake/local-hostname", "ip-169-254-1-16.local.compute.internal");
  write("fake/openssh-key", "ssh-ed25519 AAAAlogin me");
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function boot(shell: string): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(shell, [script], {
    encoding: "utf8",
    env: {
      PATH: `${programs}:${process.env["PATH"] ?? ""}`,
      FAKE: join(root, "fake"),
      LOCAL_CLOUD_ROOT: root,
      LOCAL_CLOUD_METADATA: "http://metadata/latest",
      LOCAL_CLOUD_CONSOLE: join(root, "console"),
    },
  });
  return { status, stderr };
}

describe.each(shells)("under %s", (shell) => {
  test("a new instance gets its name, its login key and host keys of its own, which the console shows", () => {
    expect(boot(shell)).toEqual({ status: 0, stderr: "" });
    expect(read("etc/hostname")).toBe("ip-169-254-1-16\n");
    expect(read("etc/hosts")).toContain("127.0.1.1 ip-169-254-1-16.local.compute.internal ip-169-254-1-16\n");
    expect(statSync(join(root, "etc/hosts")).mode & 0o777).toBe(0o644);
    expect(read("home/admin/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAAlogin me\n");
    expect(statSync(join(root, "etc/ssh/ssh_host_ed25519_key")).mode & 0o777).toBe(0o600);
    const [type, key] = read("etc/ssh/ssh_host_ed25519_key.pub").split(" ");
    const console = read("console");
    expect(console).toMatch(/^-----BEGIN SSH HOST KEY KEYS-----\n[^]*\n-----END SSH HOST KEY KEYS-----\n$/);
    expect(console).toContain(`${type ?? ""} ${key ?? ""}`);
  });

  test("the next boot of the same instance asks nobody and changes nothing", () => {
    boot(shell);
    const before = read("etc/ssh/ssh_host_ed25519_key");
    const calls = read("fake/calls");
    expect(boot(shell).status).toBe(0);
    expect(read("etc/ssh/ssh_host_ed25519_key")).toBe(before);
    expect(read("fake/calls")).toBe(calls);
  });

  test("another instance from the same disk gets other host keys, and its own login key beside the old", () => {
    boot(shell);
    const before = read("etc/ssh/ssh_host_ed25519_key");
    write("proc/cmdline", "bake_ami.instance=i-2\n");
    write("fake/openssh-key", "ssh-ed25519 AAAAother you\n");
    expect(boot(shell).status).toBe(0);
    expect(read("etc/ssh/ssh_host_ed25519_key")).not.toBe(before);
    expect(read("home/admin/.ssh/authorized_keys").trim().split("\n")).toHaveLength(2);
    expect(read("var/lib/local-cloud/instance-id")).toBe("i-2\n");
  });

  test("host keys that a seal took away come back, for the same instance too", () => {
    boot(shell);
    rmSync(join(root, "etc/ssh/ssh_host_ed25519_key"));
    expect(boot(shell).status).toBe(0);
    expect(existsSync(join(root, "etc/ssh/ssh_host_ed25519_key"))).toBe(true);
    // The login key that is there already is not added again.
    expect(read("home/admin/.ssh/authorized_keys").trim().split("\n")).toHaveLength(1);
  });

  test("the host key in a builder's user data is the one that the machine has", () => {
    const pair = newKeyPair("ed25519");
    write(
      "fake/user-data",
      builderUserData({ privateKey: new Secret(pair.privateKey), publicKey: pair.line }, expires),
    );
    expect(boot(shell)).toEqual({ status: 0, stderr: "" });
    expect(read("etc/ssh/ssh_host_ed25519_key")).toBe(pair.privateKey);
    expect(read("etc/ssh/ssh_host_ed25519_key.pub").trim()).toBe(pair.line);
    const derived = spawnSync("ssh-keygen", ["-y", "-f", join(root, "etc/ssh/ssh_host_ed25519_key")], {
      encoding: "utf8",
    });
    expect(derived.stdout.trim()).toBe(pair.line);
  });

  test("user data of another kind are left alone, but a script is kept to be run", () => {
    write("fake/user-data", "ssh_keys:\n  ed25519_private: |\n    nonsense\n");
    expect(boot(shell).status).toBe(0);
    expect(read("etc/ssh/ssh_host_ed25519_key")).not.toContain("nonsense");
    expect(existsSync(join(root, "var/lib/local-cloud/user-data"))).toBe(false);
    write("proc/cmdline", "bake_ami.instance=i-2\n");
    write("fake/user-data", "#!/bin/sh\ntouch /tmp/x\n");
    expect(boot(shell).status).toBe(0);
    expect(statSync(join(root, "var/lib/local-cloud/user-data/user-data")).mode & 0o777).toBe(0o700);
  });

  const configPart = [
    "#cloud-config",
    "ssh_keys:",
    "  ed25519_private: |",
    "    PRIVATE",
    "bootcmd:",
    "  - echo from-part",
  ];
  const nested = [
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="outer"',
    "",
    "what is before the first part counts for nothing",
    "--outer",
    "Content-Type: multipart/mixed; charset=utf-8; boundary=in.ner",
    "",
    "--in.ner",
    "Content-Type: text/x-shellscript",
    "",
    "#!/bin/sh",
    "echo first",
    "--in.ner",
    "Content-Type: text/plain",
    "Content-Transfer-Encoding: base64",
    "",
    ...(Buffer.from("#!/bin/sh\necho 'zweitens: ü' --outer\nexit 3\n")
      .toString("base64")
      .match(/.{1,20}/g) ?? []),
    "--in.ner--",
    "--outer",
    'Content-Type: text/cloud-config; charset="us-ascii"',
    "Content-Transfer-Encoding: 7bit",
    "",
    ...configPart,
    "--outer--",
    "",
  ].join("\n");

  test.each<[string, Buffer]>([
    ["plain", Buffer.from(nested)],
    ["with CR LF", Buffer.from(nested.replaceAll("\n", "\r\n"))],
    ["gzip", gzipSync(nested)],
  ])("a multipart: %s", (_, userData) => {
    writeFileSync(join(root, "fake/user-data"), userData);
    write(
      "usr/lib/local-cloud/split-parts",
      readFileSync(join(guestDirectory(), "root/usr/lib/local-cloud/split-parts"), "utf8"),
    );
    expect(boot(shell)).toEqual({ status: 0, stderr: "" });
    expect(read("etc/ssh/ssh_host_ed25519_key").trim()).toBe("PRIVATE");
    const programsOf = (name: string) =>
      spawnSync(shell, [join(guestDirectory(), `root/usr/lib/local-cloud/${name}`)], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"] ?? "", LOCAL_CLOUD_ROOT: root },
      });
    expect(programsOf("boot-commands").stdout).toBe("from-part\n");
    const scripts = programsOf("user-scripts");
    expect([scripts.stdout, scripts.status]).toEqual(["first\nzweitens: ü --outer\n", 3]);
    // Another instance from the same disk has nothing of it.
    write("proc/cmdline", "bake_ami.instance=i-2\n");
    rmSync(join(root, "fake/user-data"));
    rmSync(join(root, "run/local-cloud/user-data"), { force: true });
    expect(boot(shell).status).toBe(0);
    expect(existsSync(join(root, "var/lib/local-cloud/user-data"))).toBe(false);
  });

  test("gzip alone is unpacked", () => {
    writeFileSync(join(root, "fake/user-data"), gzipSync("#!/bin/sh\necho packed\n"));
    expect(boot(shell)).toEqual({ status: 0, stderr: "" });
    expect(read("var/lib/local-cloud/user-data/user-data")).toBe("#!/bin/sh\necho packed\n");
  });

  test("a disk larger than the image's is grown into, once", () => {
    write("var/lib/local-cloud/sectors", "16777216\n");
    write("sys/block/vda/size", "33554432\n");
    boot(shell);
    expect(read("fake/calls")).toContain("resized");
    expect(read("var/lib/local-cloud/sectors")).toBe("33554432\n");
  });

  test("without metadata it fails, and does everything at the next try", () => {
    write("fake/down", "");
    expect(boot(shell).status).not.toBe(0);
    expect(existsSync(join(root, "var/lib/local-cloud/instance-id"))).toBe(false);
    rmSync(join(root, "fake/down"));
    expect(boot(shell).status).toBe(0);
    expect(read("home/admin/.ssh/authorized_keys")).toContain("AAAAlogin");
  });
});

describe.each(shells)("commands for every boot, under %s", (shell) => {
  const commands = join(guestDirectory(), "root/usr/lib/local-cloud/boot-commands");

  function run(userData: string | undefined): { status: number | null; stdout: string; stderr: string } {
    if (userData === undefined) rmSync(join(root, "run"), { recursive: true, force: true });
    else write("run/local-cloud/user-data", userData);
    mkdirSync(join(root, "var/lib/local-cloud"), { recursive: true });
    const { status, stdout, stderr } = spawnSync(shell, [commands], {
      encoding: "utf8",
      env: {
        PATH: `${programs}:${process.env["PATH"] ?? ""}`,
        FAKE: join(root, "fake"),
        LOCAL_CLOUD_ROOT: root,
      },
    });
    return { status, stdout, stderr };
  }
  const kept = (): boolean => existsSync(join(root, "var/lib/local-cloud/boot-commands"));

  test("strings and blocks run in their order, at later boots without the user data too", () => {
    const userData = [
      "#cloud-config",
      "bootcmd:",
      "  # first",
      "  - echo one",
      "",
      "  - |",
      "    if true; then",
      "      printf '%s\\n' 'two # and: more'",
      "    fi",
      "",
      "    echo three",
      "  - echo four",
      "runcmd:",
      "  - echo never",
    ].join("\n");
    const output = { status: 0, stdout: "one\ntwo # and: more\nthree\nfour\n", stderr: "" };
    expect(run(userData)).toEqual(output);
    expect(run(undefined)).toEqual(output);
  });

  test("a list whose items are not indented is one too", () => {
    expect(run("#cloud-config\nbootcmd:\n- echo one\n- |\n  echo two\nusers: []\n").stdout).toBe(
      "one\ntwo\n",
    );
  });

  test.each([
    "  - [sh, -c, echo]",
    "  - 'echo quoted'",
    "  - >\n    folded",
    "  - echo a: b",
    "  - echo a # b",
    "  key: value",
  ])("any other form is refused, not misread: %s", (item) => {
    const result = run(`#cloud-config\nbootcmd:\n  - echo one\n${item}\n`);
    expect(result.status).not.toBe(0);
    expect(result.stdout).toBe("");
    expect(result.stderr).toContain("bootcmd is understood as");
    expect(kept()).toBe(false);
  });

  test.each(["bootcmd:\n  - echo one\n", "#!/bin/sh\nbootcmd:\n", "#cloud-config\nusers: []\n"])(
    "user data without any leave nothing: %j",
    (userData) => {
      expect(run(userData)).toEqual({ status: 0, stdout: "", stderr: "" });
      expect(kept()).toBe(false);
    },
  );

  test("of a builder are what cloud-init would run", () => {
    const userData = builderUserData(
      { privateKey: new Secret("PRIVATE"), publicKey: "ssh-ed25519 AAAA" },
      expires,
    );
    expect(run(userData)).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(read("fake/calls")).toMatch(
      new RegExp(`--on-calendar=@${expires.getTime() / 1000 + 30} .* systemctl poweroff\\n$`),
    );
    const config = z.object({ bootcmd: z.array(z.string()) }).parse(parse(userData));
    expect(read("var/lib/local-cloud/boot-commands")).toBe(config.bootcmd.join("\n"));
  });

  test("are those of this instance alone", () => {
    boot(shell);
    expect(run("#cloud-config\nbootcmd:\n  - echo mine\n").stdout).toBe("mine\n");
    write("proc/cmdline", "bake_ami.instance=i-2\n");
    boot(shell);
    expect(kept()).toBe(false);
  });
});

test("the guest's shell is clean for shellcheck", (context) => {
  if (spawnSync("shellcheck", ["--version"]).status !== 0) context.skip("needs shellcheck");
  const programs = ["first-boot", "boot-commands", "user-scripts"].map(
    (name) => `root/usr/lib/local-cloud/${name}`,
  );
  for (const file of ["build-root.sh", "initrd-init.sh", ...programs]) {
    const { stdout } = spawnSync("shellcheck", ["-s", "sh", join(guestDirectory(), file)], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  }
});
