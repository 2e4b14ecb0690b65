import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noTestMachines } from "../support/nspawn.ts";
import { machineWith, Project, runPhase, sh } from "./support.ts";

const skipped = noTestMachines === undefined ? "" : ` (${noTestMachines})`;
const program = join(import.meta.dirname, "../../phases/resources/packages");

/** A repository of three empty packages on the machine itself, as the only source. */
const localRepository = `
  mkdir -p /srv/repository; cd /srv/repository; : >Packages
  for name in alpha beta delta; do
    mkdir -p "$name/DEBIAN" "$name/usr/share/$name"
    echo "$name" >"$name/usr/share/$name/file"
    printf 'Package: %s\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: Test <test@example.org>\\nDescription: test\\n' \\
      "$name" >"$name/DEBIAN/control"
    dpkg-deb --build "$name" "$name.deb" >/dev/null
    { cat "$name/DEBIAN/control"; echo "Filename: ./$name.deb"; echo "Size: $(stat -c %s "$name.deb")"
      echo "SHA256: $(sha256sum "$name.deb" | cut -d' ' -f1)"; echo; } >>Packages
  done
  rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list
`;

describe.skipIf(noTestMachines)(`packages with apt, for real${skipped}`, () => {
  test("all wanted services' missing packages come in one transaction, before any init step", async () => {
    using project = new Project({
      "services/a/service.yaml": "packages: {apt: [alpha], dnf: [alpha-of-dnf]}\n",
      "services/a/init.sh": sh("cat /usr/share/beta/file"),
      "services/b/service.yaml": "packages: [beta, alpha, coreutils]\n",
      "services/c/service.yaml": "packages: [coreutils]\n",
      "services/c/init.sh": sh("true"),
      "services/unwanted/service.yaml": "packages: [delta]\n",
      "services/missing/service.yaml": "packages: [nosuch-package]\n",
      "services/missing/init.sh": sh("echo never >>/root/trace"),
    });
    await using machine = await machineWith(project.plan());
    await machine.run(localRepository);
    const first = await runPhase(machine, "init", ["a", "b"]);
    expect(first.end).toMatchObject({ result: "ok" });
    expect(first.output.get("a")?.toString()).toBe("beta\n");
    expect(first.output.get("_packages")?.toString()).toContain("installing: alpha beta\n");
    const history = await machine.run("cat /var/log/apt/history.log");
    expect(history.match(/^Install: .*/gm)).toHaveLength(1);
    expect(history).not.toContain("delta");
    expect(history).not.toContain("coreutils");

    // Nothing is missing, so nothing is fetched, not even an index.
    await machine.run(
      "echo 'deb http://127.0.0.1:1/ nowhere main' >/etc/apt/sources.list; rm -rf /var/lib/apt/lists/*",
    );
    const second = await runPhase(machine, "init", ["c"]);
    expect(second.end).toMatchObject({ result: "ok" });
    expect(second.output.get("_packages")?.toString()).toBe("all packages are installed: coreutils\n");

    await machine.run("echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list");
    const third = await runPhase(machine, "init", ["missing"]);
    expect(third.end).toMatchObject({ result: "failed", failed: "_packages", "not-started": "missing" });
    expect(third.output.get("_packages")?.toString()).toContain("nosuch-package");
    expect((await machine.exec("cat /root/trace")).status).toBe(1);
  });
});

// There is no Amazon Linux here: what is asked of rpm and dnf is checked, not what they do.
describe("packages with dnf, as far as its arguments go", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "bake-ami-dnf-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const fake = (name: string, script: string): void => {
    writeFileSync(join(directory, name), sh(script));
    chmodSync(join(directory, name), 0o755);
  };
  const run = (packages: readonly string[]): { status: number | null; stdout: string; calls: string } => {
    writeFileSync(join(directory, "list"), packages.map((name) => `${name}\n`).join(""));
    writeFileSync(join(directory, "calls"), "");
    const { status, stdout } = spawnSync("sh", [program], {
      encoding: "utf8",
      env: {
        PATH: `${directory}:/usr/bin:/bin`,
        BAKE_PACKAGE_LIST: join(directory, "list"),
        BAKE_CHANGED_PACKAGES: join(directory, "changed"),
        CALLS: join(directory, "calls"),
      },
    });
    return { status, stdout, calls: readFileSync(join(directory, "calls"), "utf8") };
  };
  const rpm = `
    echo "rpm $*" >>"$CALLS"
    shift 2
    status=0
    for name in "$@"; do
      case $name in
      nginx | jq) echo "no package provides $name"; status=$((status + 1)) ;;
      curl) echo curl-minimal-8.5.0-1.amzn2023.x86_64 ;;
      *) echo "$name-1.0-1.amzn2023.x86_64" ;;
      esac
    done
    exit $status`;

  test("rpm is asked once, by capability, and dnf installs what is missing in one transaction", () => {
    fake("rpm", rpm);
    fake("dnf", 'echo "dnf $*" >>"$CALLS"');
    expect(run(["nginx", "curl", "tar", "jq"])).toMatchObject({
      status: 0,
      calls: "rpm -q --whatprovides nginx curl tar jq\ndnf -y install nginx jq\n",
    });
  });

  test("nothing missing: dnf is not started", () => {
    fake("rpm", rpm);
    fake("dnf", 'echo "dnf $*" >>"$CALLS"');
    expect(run(["curl", "tar"])).toMatchObject({ status: 0, calls: "rpm -q --whatprovides curl tar\n" });
  });

  test("dnf's failure is the step's", () => {
    fake("rpm", rpm);
    fake("dnf", "exit 1");
    expect(run(["nginx"]).status).toBe(1);
  });
});
