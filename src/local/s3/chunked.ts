import { createHash } from "node:crypto";
import type { Signed } from "./authenticate.ts";
import { S3Error, incompleteBody, invalidRequest } from "./errors.ts";
import { isSame, scopeText, sha256Hex, signatureOf } from "./signature.ts";

/*
 * The content encoding `aws-chunked`: a body in chunks, each with a signature when the body is signed, and perhaps with
 * headers at its end. (Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring
 * Payload in Multiple Chunks" and "... Including Trailing Headers")
 */

const longestLine = 4096;
const largestTrailer = 64 * 1024;

/** Reads lines and runs of bytes from a stream of pieces. */
class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** What is there, at most so many bytes of it. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) throw incompleteBody();
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Up to the next line feed, without it and a carriage return before it. */
  async line(): Promise<string> {
    const bytes: number[] = [];
    for (;;) {
      const byte = (await this.some(1))[0] ?? 0;
      if (byte === 0x0a) break;
      bytes.push(byte);
      if (bytes.length > longestLine) throw invalidRequest("A line of the aws-chunked body is too long");
    }
    return Buffer.from(bytes).toString("latin1").replace(/\r$/, "");
  }

  /** Lets go of the stream, which others may want to read to its end. */
  async release(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** That nothing comes any more. */
  async end(): Promise<void> {
    if (this.#rest.length > 0) throw incompleteBody();
    const next = await this.#pieces.next();
    if (next.done !== true && next.value.length > 0) throw incompleteBody();
  }
}

export interface ChunkedOptions {
  /** What the signature of the first chunk goes on from; absent when chunks are not signed. */
  readonly signed?: Signed;
  readonly trailing: boolean;
  /** Told of the headers behind the content, names in lower case, when all of it has been read. */
  readonly onTrailers: (trailers: Trailers) => void;
}

export type Trailers = Readonly<Record<string, string>>;

/**
 * The content of a body in chunks, as bytes. A chunk's bytes come out before its signature has been checked: who reads them must forget them when this throws.
 * @throws S3Error `SignatureDoesNotMatch`, `IncompleteBody`, `InvalidRequest`
 */
export async function* chunkedContent(
  body: AsyncIterable<Uint8Array>,
  options: ChunkedOptions,
): AsyncGenerator<Uint8Array, void> {
  const reader = new PieceReader(body);
  try {
    yield* chunksOf(reader, options);
  } finally {
    await reader.release();
  }
}

async function* chunksOf(
  reader: PieceReader,
  { signed, trailing, onTrailers }: ChunkedOptions,
): AsyncGenerator<Uint8Array, void> {
  let previous = signed?.signature ?? "";
  const check = (kind: string, parts: readonly string[], given: string | undefined): void => {
    if (signed === undefined) return;
    const { timestamp, scope, key } = signed;
    const text = [`AWS4-HMAC-SHA256-${kind}`, timestamp, scopeText(scope), previous, ...parts].join("\n");
    const signature = signatureOf(key, text);
    if (given === undefined || !isSame(signature, given)) {
      throw new S3Error(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        403,
        { StringToSign: text, SignatureProvided: given ?? "" },
      );
    }
    previous = signature;
  };
  for (;;) {
    const line = await reader.line();
    const [, digits, given] = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? [];
    if (digits === undefined) throw invalidRequest("The aws-chunked body has no size where a chunk begins");
    const size = Number.parseInt(digits, 16);
    const hash = createHash("sha256");
    for (let left = size; left > 0;) {
      const piece = await reader.some(left);
      left -= piece.length;
      if (signed !== undefined) hash.update(piece);
      yield piece;
    }
    if (size > 0 && (await reader.line()) !== "") throw incompleteBody();
    check("PAYLOAD", [sha256Hex(""), hash.digest("hex")], given);
    if (size === 0) break;
  }
  const { trailers, signature } = await readTrailers(reader);
  if (trailing) {
    const text = trailers.map(([name, value]) => `${name}:${value}\n`).join("");
    check("TRAILER", [sha256Hex(text)], signature);
  } else if (trailers.length > 0) {
    throw invalidRequest("The body has trailing headers, which x-amz-content-sha256 does not announce");
  }
  await reader.end();
  onTrailers(Object.fromEntries(trailers));
}

async function readTrailers(
  reader: PieceReader,
): Promise<{ readonly trailers: readonly [string, string][]; readonly signature: string | undefined }> {
  const trailers: [string, string][] = [];
  let signature: string | undefined;
  let size = 0;
  for (let line = await reader.line(); line !== ""; line = await reader.line()) {
    size += line.length;
    const colon = line.indexOf(":");
    if (colon < 0 || size > largestTrailer) throw invalidRequest("The trailing headers are malformed");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "x-amz-trailer-signature") signature = value;
    else trailers.push([name, value]);
  }
  return { trailers, signature };
}
