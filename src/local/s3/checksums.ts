import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { crc32c, crc64nvme } from "./crc.ts";
import { S3Error, invalidRequest } from "./errors.ts";

/** The algorithms of `x-amz-checksum-*`. (Amazon S3 User Guide, "Checking object integrity") */
export const algorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;

export type Algorithm = (typeof algorithms)[number];

/** A digest that is fed piece by piece. */
export interface RunningDigest {
  update(data: Uint8Array): void;
  digest(): Buffer;
}

const bytesOf: Readonly<Record<Algorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

export function runningDigest(algorithm: Algorithm): RunningDigest {
  switch (algorithm) {
    case "CRC32":
      return running32((data, before) => crc32(data, before));
    case "CRC32C":
      return running32(crc32c);
    case "CRC64NVME":
      return running64();
    case "SHA1":
      return createHash("sha1");
    case "SHA256":
      return createHash("sha256");
  }
}

function running32(step: (data: Uint8Array, before: number) => number): RunningDigest {
  let value = 0;
  return {
    update: (data) => {
      value = step(data, value);
    },
    digest: () => {
      const result = Buffer.alloc(4);
      result.writeUInt32BE(value);
      return result;
    },
  };
}

function running64(): RunningDigest {
  let value = { high: 0, low: 0 };
  return {
    update: (data) => {
      value = crc64nvme(data, value);
    },
    digest: () => {
      const result = Buffer.alloc(8);
      result.writeUInt32BE(value.high, 0);
      result.writeUInt32BE(value.low, 4);
      return result;
    },
  };
}

/** The checksum that is kept with an object. */
export const checksumSchema = z.object({
  algorithm: z.enum(algorithms),
  /** In base64; of parts, their checksums' checksum, a hyphen and how many they are. */
  value: z.string(),
  type: z.enum(["FULL_OBJECT", "COMPOSITE"]),
});

export type Checksum = z.infer<typeof checksumSchema>;

/** The algorithm by a name that a client gives it. @throws S3Error `InvalidRequest` */
export function algorithmNamed(name: string): Algorithm {
  const found = algorithms.find((each) => each === name.toUpperCase());
  if (found === undefined) {
    throw invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    );
  }
  return found;
}

/** As a header and, capitalised otherwise, as an element of XML. */
export function headerOf(algorithm: Algorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

export function elementOf(algorithm: Algorithm): string {
  return `Checksum${algorithm}`;
}

/**
 * The algorithm and the value that headers (or trailers) give; undefined when they give none.
 * @throws S3Error `InvalidRequest` for a value that cannot be one, or for two
 */
export function checksumIn(
  headers: Readonly<Record<string, string>>,
): { readonly algorithm: Algorithm; readonly value: string } | undefined {
  const given = algorithms.flatMap((algorithm) => {
    const value = headers[headerOf(algorithm)];
    return value === undefined ? [] : [{ algorithm, value }];
  });
  if (given.length > 1) {
    throw invalidRequest(
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  const [first] = given;
  if (first !== undefined && !isDigest(first.value, bytesOf[first.algorithm])) {
    throw invalidRequest(`Value for ${headerOf(first.algorithm)} header is invalid.`);
  }
  return first;
}

/** Whether a text is base64 of so many bytes. */
export function isDigest(text: string, length: number): boolean {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text;
}

export function wrongChecksum(algorithm: Algorithm): S3Error {
  return new S3Error(
    "BadDigest",
    `The ${algorithm} you specified did not match the calculated checksum.`,
    400,
  );
}
