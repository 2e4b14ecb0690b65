import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bundle } from "../../src/bundle/index.ts";

/** A key that signs bundles, made and used by OpenSSH itself; it goes with `using`. */
export class SigningKey implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bake-ami-signing-"));
  readonly #file = join(this.#directory, "id");

  constructor() {
    keygen(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", this.#file]);
  }

  /** The line that an image has in /etc/bake-ami/signers. */
  get signers(): string {
    return `bake-ami ${readFileSync(`${this.#file}.pub`, "utf8")}`;
  }

  /** An armoured signature. */
  sign(text: string, namespace = "bake-ami-bundle"): string {
    const file = join(this.#directory, "text");
    writeFileSync(file, text);
    rmSync(`${file}.sig`, { force: true });
    keygen(["-Y", "sign", "-q", "-f", this.#file, "-n", namespace, file]);
    return readFileSync(`${file}.sig`, "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function keygen(args: readonly string[]): void {
  const result = spawnSync("ssh-keygen", args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`ssh-keygen ${args.join(" ")}: ${result.stderr}`);
}

export interface HeadChanges {
  readonly channel?: string;
  readonly serial?: number;
  readonly digest?: string;
  readonly sha256?: string;
  readonly size?: number;
}

/** The signed lines of a channel's object. */
export function headOf({ digest, archive }: Bundle, changes: HeadChanges = {}): string {
  const fields = {
    channel: "test",
    serial: 1_000,
    digest,
    sha256: createHash("sha256").update(archive).digest("hex"),
    size: archive.length,
    ...changes,
  };
  return ["bake-ami-bundle 1", ...Object.entries(fields).map(([name, value]) => `${name} ${value}`), ""].join(
    "\n",
  );
}

/** A channel's object. */
export function channelObject(bundle: Bundle, key: SigningKey, changes: HeadChanges = {}): Buffer {
  const head = headOf(bundle, changes);
  return Buffer.concat([Buffer.from(`${head}${key.sign(head)}\n`), bundle.archive]);
}
