import { BakeError } from "../base/errors.ts";

/**
 * Checks tags of the user's own.
 * @throws BakeError `usage` for a key that is taken, or that EC2 does not allow.
 */
export function checkExtraTags(tags: ReadonlyMap<string, string>): void {
  for (const [key, value] of tags) {
    if (key.startsWith("bake-ami:") || key.startsWith("aws:") || key === "Name") {
      throw new BakeError("usage", `--tag ${key}: Name and keys that begin with bake-ami: or aws: are taken`);
    }
    if (key === "" || key.length > 128 || value.length > 256) {
      throw new BakeError("usage", `--tag ${key}: a key has 1 to 128 characters, and a value at most 256`);
    }
    if (/[\s/]/.test(key)) {
      throw new BakeError("usage", `--tag ${key}: a key must have no space and no slash`, {
        hint: "machines read their tags from the metadata service, which cannot serve such keys",
      });
    }
  }
}
