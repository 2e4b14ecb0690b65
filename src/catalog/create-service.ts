import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BakeError } from "../base/errors.ts";
import { packageRoot } from "../base/package-root.ts";
import { asServiceName, serviceNamePattern } from "./names.ts";
import { declarationFile } from "./parse-service.ts";
import { readTree } from "./read-tree.ts";

/**
 * Makes a service directory to start from: a commented service.yaml and a step for each phase.
 * @param directory where the project keeps its services; made when missing
 * @param verbs the words of the command line, which no service may be named by
 * @returns the path of the new directory
 * @throws BakeError `usage` for an invalid name, or when the directory exists; nothing is written then.
 */
export function createService(directory: string, name: string, verbs: readonly string[]): string {
  checkName(name, verbs);
  const path = join(directory, name);
  if (existsSync(path)) {
    throw new BakeError("usage", `${path} exists already`, {
      hint: "choose another name, or edit what is there",
    });
  }
  mkdirSync(directory, { recursive: true });
  // Made aside and renamed, so that no half service is ever there. Hidden, so that nobody takes it for one.
  const aside = mkdtempSync(join(directory, ".new-"));
  try {
    cpSync(join(packageRoot(), "services", ".starter"), aside, { recursive: true });
    chmodSync(aside, 0o755);
    // npm and some disks lose the run bits.
    for (const file of readTree({ directory: aside, shownAs: path, ignored: () => false }).files) {
      if (file.path.endsWith(".sh")) chmodSync(file.absolutePath, 0o755);
    }
    const declaration = join(aside, declarationFile);
    writeFileSync(declaration, readFileSync(declaration, "utf8").replaceAll("SERVICE", name));
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
  return path;
}

function checkName(name: string, verbs: readonly string[]): void {
  if (!serviceNamePattern.test(name)) {
    const better = asServiceName(name);
    throw new BakeError("usage", `${JSON.stringify(name)} is not a service name`, {
      hint:
        better === undefined || better === name
          ? "use small letters, digits and dashes, a letter first, and at most 63 in all"
          : `for example: bake-ami new ${better}`,
    });
  }
  if (verbs.includes(name)) {
    throw new BakeError("usage", `a service cannot be named ${name}: bake-ami ${name} is a command`, {
      hint: `for example: bake-ami new my-${name}`,
    });
  }
}
