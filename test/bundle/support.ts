import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { GlobalSteps, Phase, Service, ServiceFile, Step } from "../../src/catalog/service.ts";
import type { Plan, PlannedService } from "../../src/plan/plan.ts";

/** What a test says of a service; the rest is empty. Files are by path, and steps are those in a phase's directory. */
export interface ServiceSketch {
  readonly requires?: readonly string[];
  readonly packages?: Partial<Service["packages"]>;
  readonly units?: Service["units"];
  readonly resources?: Service["resources"];
  readonly parameters?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
  readonly retries?: number;
  readonly files?: Readonly<Record<string, string>>;
}

/** Files on disk under a directory that goes with `using`, and plans that point at them. */
export class Workshop implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "bake-ami-bundle-"));

  /** Services must be given in topological order. */
  plan(
    sketches: Readonly<Record<string, ServiceSketch>>,
    globalSteps?: Readonly<Record<string, string>>,
  ): Plan {
    const services = Object.entries(sketches).map(([name, sketch]) => this.#service(name, sketch));
    return {
      requested: Object.keys(sketches).sort(),
      services,
      globalSteps: globalSteps === undefined ? undefined : this.#globalSteps(globalSteps),
      digest: "0123456789abcdef",
    };
  }

  #service(name: string, sketch: ServiceSketch): PlannedService {
    const directory = join(this.directory, name);
    const files = this.#write(directory, sketch.files ?? {});
    const stepsOf = (phase: Phase): Step[] => stepsIn(files, `${phase}/`);
    return {
      requested: true,
      requiredBy: [],
      parameters: new Map(Object.entries(sketch.parameters ?? {})),
      references: new Map(),
      digest: createHash("sha256")
        .update(JSON.stringify([name, sketch]))
        .digest("hex")
        .slice(0, 16),
      service: {
        name,
        directory,
        builtIn: false,
        description: undefined,
        requires: sketch.requires ?? [],
        packages: { dnf: [], apt: [], ...sketch.packages },
        units: sketch.units ?? [],
        resources: sketch.resources ?? [],
        parameters: new Map(),
        timeoutSeconds: sketch.timeoutSeconds ?? 600,
        retries: sketch.retries ?? 0,
        steps: { init: stepsOf("init"), update: stepsOf("update"), verify: stepsOf("verify") },
        files,
      },
    };
  }

  #globalSteps(files: Readonly<Record<string, string>>): GlobalSteps {
    const directory = join(this.directory, "phases");
    const written = this.#write(directory, files);
    const side = (name: string): Record<Phase, Step[]> => ({
      init: stepsIn(written, `init/${name}/`),
      update: stepsIn(written, `update/${name}/`),
      verify: stepsIn(written, `verify/${name}/`),
    });
    return { directory, before: side("before"), after: side("after"), files: written };
  }

  #write(directory: string, files: Readonly<Record<string, string>>): ServiceFile[] {
    return Object.entries(files).map(([path, content]) => {
      const absolutePath = join(directory, path);
      mkdirSync(dirname(absolutePath), { recursive: true });
      writeFileSync(absolutePath, content);
      const executable = content.startsWith("#!");
      chmodSync(absolutePath, executable ? 0o755 : 0o644);
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { path, absolutePath, executable, size: Buffer.byteLength(content), sha256 };
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function stepsIn(files: readonly ServiceFile[], prefix: string): Step[] {
  return files
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path }) => ({ name: path.slice(prefix.length), path }));
}
