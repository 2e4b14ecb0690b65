import { spawnSync } from "node:child_process";
import { chmodSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { unpackTar } from "modern-tar";
import { expect, test } from "vitest";
import { makeBundle } from "../../src/bundle/index.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { unit } from "../plan/catalogs.ts";
import { Workshop, type ServiceSketch } from "./support.ts";

const sketches: Readonly<Record<string, ServiceSketch>> = {
  base: { packages: { apt: ["curl"], dnf: ["curl"] } },
  nginx: {
    requires: ["base"],
    packages: { apt: ["nginx-light"], dnf: ["nginx"] },
    units: [unit("nginx.service", true), unit("apt-daily.timer", false)],
    parameters: { port: "80", "listen-on": "it's $HOME\nand `more`", empty: "" },
    timeoutSeconds: 90,
    retries: 2,
    files: {
      "init/10-a.sh": "#!/bin/sh\necho a\n",
      "init/20-b.sh": "#!/bin/sh\necho b\n",
      "files/a/very/deep/directory/with/a/path/that/is/longer/than/the/hundred/characters/that/a/plain/tar/header/has/x":
        "x",
    },
  },
  web: {
    requires: ["base", "nginx"],
    files: { "update/10-a.sh": "#!/bin/sh\n", "verify/10-a.sh": "#!/bin/sh\n" },
  },
};

async function contents(
  plan: Plan,
): Promise<Map<string, { text: string; mode: number; owner: string; time: number }>> {
  const entries = await unpackTar(gunzipSync((await makeBundle(plan)).archive), { strict: true });
  return new Map(
    entries.map(({ header, data }) => [
      header.name,
      {
        text: Buffer.from(data ?? []).toString(),
        mode: header.mode ?? 0,
        owner: `${header.uid ?? ""}:${header.gid ?? ""}:${header.uname ?? ""}:${header.gname ?? ""}`,
        time: header.mtime?.getTime() ?? -1,
      },
    ]),
  );
}

test("the same plan gives the same bytes, whatever times, umask and place on disk", async () => {
  using one = new Workshop();
  using two = new Workshop();
  const first = await makeBundle(one.plan(sketches, { "init/before/10-x.sh": "#!/bin/sh\n" }));
  const umask = process.umask(0o077);
  try {
    const plan = two.plan(sketches, { "init/before/10-x.sh": "#!/bin/sh\n" });
    const file = join(two.directory, "nginx/init/10-a.sh");
    utimesSync(file, 1, 1);
    chmodSync(file, 0o700);
    const second = await makeBundle(plan);
    expect(second.digest).toBe(first.digest);
    expect(Buffer.from(second.archive).equals(Buffer.from(first.archive))).toBe(true);
  } finally {
    process.umask(umask);
  }
  expect(first.digest).toMatch(/^[0-9a-f]{16}$/);
  expect([first.archive[9], ...first.archive.slice(4, 8)]).toEqual([255, 0, 0, 0, 0]);
});

test("anything that differs gives another digest", async () => {
  using workshop = new Workshop();
  const digestOf = async (changed: Readonly<Record<string, ServiceSketch>>): Promise<string> =>
    (await makeBundle(workshop.plan({ ...sketches, ...changed }))).digest;
  const digests = [
    await digestOf({}),
    await digestOf({ base: { packages: { apt: ["curl", "jq"] } } }),
    await digestOf({ web: { ...sketches["web"], timeoutSeconds: 5 } }),
    await digestOf({ web: { ...sketches["web"], files: { "update/10-a.sh": "#!/bin/sh\n#\n" } } }),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});

test("the layout is what the programs on the machine read", async () => {
  using workshop = new Workshop();
  const plan = workshop.plan(sketches);
  const files = await contents(plan);
  const text = (path: string): string | undefined => files.get(path)?.text;
  const digests = plan.services.map(({ digest }) => digest);
  expect(text("digest")).toBe(`${(await makeBundle(plan)).digest}\n`);
  expect(text("catalog.tsv")).toBe(
    `base\t${digests[0] ?? ""}\t-\nnginx\t${digests[1] ?? ""}\tbase\nweb\t${digests[2] ?? ""}\tbase,nginx\n`,
  );
  expect(text("packages.tsv")).toBe(
    "base\tdnf\tcurl\nbase\tapt\tcurl\nnginx\tdnf\tnginx\nnginx\tapt\tnginx-light\n",
  );
  expect(text("services/nginx/limits")).toBe("timeout=90\nretries=2\n");
  expect(text("services/nginx/digest")).toBe(`${digests[1] ?? ""}\n`);
  expect(text("services/nginx/units")).toBe(
    "name=nginx.service\tstate=enabled\tstarted=yes\nname=apt-daily.timer\tstate=disabled\n",
  );
  expect(text("services/nginx/steps/init")).toBe(
    "10-a.sh\tservices/nginx/dir/init/10-a.sh\n20-b.sh\tservices/nginx/dir/init/20-b.sh\nunits\tresources/units\n",
  );
  expect(text("services/web/steps/update")).toBe("10-a.sh\tservices/web/dir/update/10-a.sh\n");
  expect(text("services/base/steps/init")).toBeUndefined();
  expect(text("services/_packages/steps/init")).toBe("packages\tresources/packages\n");
  expect(text("services/_before/steps/init")).toBeUndefined();
  expect([...files.keys()].slice(1)).toEqual([...files.keys()].slice(1).sort());
  for (const [path, { mode, owner, time }] of files) {
    const isProgram = /^(?:bin|resources)\/|\/dir\/(?:init|update|verify)\//.test(path);
    expect([path, mode, owner, time]).toEqual([path, isProgram ? 0o755 : 0o644, "0:0:root:root", 0]);
  }
});

test("parameters reach a shell as they are, whatever is in them", async () => {
  using workshop = new Workshop();
  const files = await contents(workshop.plan(sketches));
  const environment = files.get("services/nginx/env")?.text ?? "";
  for (const shell of ["sh", "bash"]) {
    const result = spawnSync(
      shell,
      ["-c", `${environment}\nprintf '%s|' "$BAKE_PORT" "$BAKE_LISTEN_ON" "$BAKE_EMPTY"`],
      {
        encoding: "utf8",
      },
    );
    expect(result.stdout).toBe("80|it's $HOME\nand `more`||");
  }
});

test("drop-ins carry requirements, the mark and a backstop; services without a unit are seen through", async () => {
  using workshop = new Workshop();
  const plan = workshop.plan({
    ...sketches,
    top: { requires: ["web"], files: { "update/10-a.sh": "#!/bin/sh\n", "verify/10-a.sh": "#!/bin/sh\n" } },
  });
  const files = await contents(plan);
  const dropIn = (unit: string): string | undefined =>
    files.get(`units/bake-ami-${unit}.service.d/10-bake-ami.conf`)?.text;
  expect(dropIn("init@nginx")?.split("\n")).toEqual([
    "[Unit]",
    "Requires=bake-ami-init@base.service",
    "After=bake-ami-init@base.service",
    `ConditionPathExists=!/var/lib/bake-ami/init/nginx@${plan.services[1]?.digest ?? ""}`,
    "[Service]",
    // Three steps (one for the units), three tries of 90 + 10 s each with pauses of 2 and 4 s; and a minute.
    "TimeoutStartSec=978",
    "",
  ]);
  expect(dropIn("update@base")).toBeUndefined();
  // Its units are started by its update.
  expect(dropIn("update@nginx")).not.toContain("update@");
  expect(dropIn("update@web")).toContain(
    "Requires=bake-ami-init@web.service\nAfter=bake-ami-init@web.service\n",
  );
  expect(dropIn("update@top")).toContain(
    "Requires=bake-ami-update@web.service\nAfter=bake-ami-update@web.service\n",
  );
  expect(dropIn("verify@top")).toContain("Requires=bake-ami-verify@web.service");
  expect(dropIn("verify@top")).not.toContain("init@");
});

test("a project's steps around all services are services of their own", async () => {
  using workshop = new Workshop();
  const files = await contents(
    workshop.plan(
      {},
      {
        "init/before/10-x.sh": "#!/bin/sh\n",
        "update/after/10-y.sh": "#!/bin/sh\n",
        "init/before/data": "1",
      },
    ),
  );
  expect(files.get("services/_before/steps/init")?.text).toContain(
    "10-x.sh\tservices/_before/dir/init/before/10-x.sh\n",
  );
  expect(files.get("services/_after/steps/update")?.text).toBe(
    "10-y.sh\tservices/_after/dir/update/after/10-y.sh\n",
  );
  expect(files.get("services/_after/steps/init")).toBeUndefined();
  expect(files.has("services/_before/dir/init/before/data")).toBe(true);
});

test.each([
  [
    "was changed",
    (file: string) => {
      writeFileSync(file, "#!/bin/sh\nevil\n");
    },
  ],
  [
    "is gone",
    (file: string) => {
      rmSync(file);
    },
  ],
])("a file that %s since the plan was made is an error that names it", async (_, change) => {
  using workshop = new Workshop();
  const plan = workshop.plan(sketches);
  const file = join(workshop.directory, "nginx/init/10-a.sh");
  change(file);
  await expect(makeBundle(plan)).rejects.toMatchObject({
    kind: "catalog",
    message: `${file} changed after the plan was made`,
    hint: "run the same command again",
  });
});

test("a catalog of a thousand services is bundled in a few seconds", async () => {
  using workshop = new Workshop();
  const many = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index): [string, ServiceSketch] => [
      `s${index}`,
      {
        requires: index === 0 ? [] : [`s${index - 1}`],
        files: { "init/10-a.sh": "#!/bin/sh\n", "update/10-a.sh": "#!/bin/sh\n" },
      },
    ]),
  );
  const begun = performance.now();
  const { archive } = await makeBundle(workshop.plan(many));
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(archive.length).toBeLessThan(1_000_000);
});
