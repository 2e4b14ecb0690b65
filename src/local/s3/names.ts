import { S3Error } from "./errors.ts";

/** @throws S3Error `InvalidBucketName` (Amazon S3 User Guide, "General purpose bucket naming rules") */
export function checkBucketName(name: string): void {
  const isValid =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !name.includes("..") &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^(?:xn--|sthree-|amzn-s3-demo-)/.test(name) &&
    !/(?:-s3alias|--ols-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
  if (!isValid) {
    throw new S3Error("InvalidBucketName", "The specified bucket is not valid.", 400, { BucketName: name });
  }
}

const longestKey = 1024;

/** @throws S3Error `KeyTooLongError` */
export function checkKey(key: string): void {
  const size = Buffer.byteLength(key);
  if (size <= longestKey) return;
  throw new S3Error("KeyTooLongError", "Your key is too long", 400, {
    Size: size,
    MaxSizeAllowed: longestKey,
  });
}

/*
 * A key as the path of a file. Whatever is not a lower-case letter, digit, dot, hyphen or underscore is written as `%` and
 * two digits for each byte: file systems differ in which other characters they take or take for the same. What is too
 * long for one name goes on in a directory. Directories end in `+` and files in `=`, so that neither is in the other's way
 * and none is called `..`.
 */

const longestName = 200;

export function encodedKey(text: string): string {
  return [...Buffer.from(text)].map(encodedByte).join("");
}

function encodedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[a-z0-9._-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
}

/** The names of the directories on the way to a key's file, and of the file. */
export function pathOfKey(key: string): { readonly directories: readonly string[]; readonly file: string } {
  const pieces = encodedKey(key).match(new RegExp(`.{1,${longestName}}`, "g")) ?? [];
  const last = pieces.pop() ?? "";
  return { directories: pieces.map((piece) => `${piece}+`), file: `${last}=` };
}

/** The key that is written like this. */
export function decodedKey(encoded: string): string {
  return decodeURIComponent(encoded);
}

/** In the order of S3's listings: by the bytes of UTF-8. */
export function compareKeys(a: string, b: string): number {
  // Code units are in the same order up to the surrogates, with which characters beyond 16 bits are written.
  if (!/[\ud800-\uffff]/.test(a) || !/[\ud800-\uffff]/.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
