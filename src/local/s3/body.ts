import { createHash } from "node:crypto";
import { throwIfAborted } from "../../base/wait.ts";
import type { Authenticated } from "./authenticate.ts";
import {
  algorithms,
  checksumIn,
  headerOf,
  isDigest,
  runningDigest,
  wrongChecksum,
  type Algorithm,
} from "./checksums.ts";
import { chunkedContent, type Trailers } from "./chunked.ts";
import { S3Error, incompleteBody, invalidRequest, notImplemented } from "./errors.ts";
import type { S3Request } from "./request.ts";

/** The most that one request may bring, and the most of XML. (Amazon S3 User Guide, "Uploading objects") */
const largestObject = 5 * 1024 ** 3;
const largestText = 2 * 1024 ** 2;

/** What is known of a body when all of it has come and was what the request says. */
export interface Received {
  readonly size: number;
  readonly md5: Buffer;
  /** By the algorithm that the client or the caller asked for. */
  readonly checksum: { readonly algorithm: Algorithm; readonly value: string } | undefined;
}

/**
 * The body of a request: its bytes are checked against everything that the request says of them as they are read.
 */
export class Body {
  readonly #request: S3Request;
  readonly #authenticated: Authenticated;

  constructor(request: S3Request, authenticated: Authenticated) {
    this.#request = request;
    this.#authenticated = authenticated;
  }

  /** Whether the request says anything of the content by which an error on the way would show. */
  get isChecked(): boolean {
    const { headers } = this.#authenticated;
    return (
      headers["content-md5"] !== undefined ||
      headers["x-amz-trailer"] !== undefined ||
      checksumIn(headers) !== undefined
    );
  }

  /**
   * Hands each piece to `take`, one after the other. The pieces are not to be believed before this returns.
   * @param algorithm by which a checksum is wanted even when the client gives none
   * @param checksumIsOfBody whether `x-amz-checksum-*` is about the body at all
   * @throws S3Error for a body that is not what the request says
   */
  async receive(
    take: (piece: Uint8Array) => Promise<void>,
    algorithm?: Algorithm,
    checksumIsOfBody = true,
  ): Promise<Received> {
    const { headers, signed } = this.#authenticated;
    const expected = this.#expected();
    const given = checksumIsOfBody ? checksumIn(headers) : undefined;
    const announced = announcedIn(headers["x-amz-trailer"]);
    const used = given?.algorithm ?? announced ?? algorithm;
    const md5 = createHash("md5");
    const sha256 = expected.sha256 === undefined ? undefined : createHash("sha256");
    const checksum = used === undefined ? undefined : runningDigest(used);
    let size = 0;
    let trailers: Trailers = {};
    const content = this.#content(expected.encoding, (all) => {
      trailers = all;
    });
    for await (const piece of content) {
      if (this.#request.signal !== undefined) throwIfAborted(this.#request.signal);
      size += piece.length;
      if (size > expected.length) throw incompleteBody();
      md5.update(piece);
      sha256?.update(piece);
      checksum?.update(piece);
      await take(piece);
    }
    if (size !== expected.length) throw incompleteBody();
    if (sha256 !== undefined && sha256.digest("hex") !== signed.payload) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        400,
        { ClientComputedContentSHA256: signed.payload },
      );
    }
    const digest = md5.digest();
    if (expected.md5 !== undefined && expected.md5 !== digest.toString("base64")) {
      throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.", 400);
    }
    if (used === undefined || checksum === undefined) return { size, md5: digest, checksum: undefined };
    const value = checksum.digest().toString("base64");
    const claimed = given ?? checksumIn(trailers);
    if (announced !== undefined && claimed?.algorithm !== announced) {
      throw invalidRequest("The trailing headers do not have what x-amz-trailer announces");
    }
    if (claimed !== undefined && claimed.value !== value) throw wrongChecksum(used);
    return { size, md5: digest, checksum: { algorithm: used, value } };
  }

  /** The whole body, of a request that cannot be large. @throws S3Error as {@link receive} does */
  async text(checksumIsOfBody = true): Promise<string> {
    const pieces: Uint8Array[] = [];
    if (this.#expected().length > largestText)
      throw new S3Error("MaxMessageLengthExceeded", "Your request was too big.", 400);
    const keep = async (piece: Uint8Array): Promise<void> => {
      pieces.push(Uint8Array.from(piece));
      return Promise.resolve();
    };
    await this.receive(keep, undefined, checksumIsOfBody);
    return Buffer.concat(pieces).toString("utf8");
  }

  #content(encoding: Encoding, onTrailers: (trailers: Trailers) => void): AsyncIterable<Uint8Array> {
    const { body } = this.#request;
    if (encoding === "plain") return body;
    const { signed } = this.#authenticated;
    const { trailing } = encoding;
    return chunkedContent(body, { ...(encoding.signed ? { signed } : {}), trailing, onTrailers });
  }

  #expected(): Expected {
    const { headers, signed } = this.#authenticated;
    const encoding = encodingOf(signed.payload);
    const length = headers[encoding === "plain" ? "content-length" : "x-amz-decoded-content-length"];
    if (length === undefined || !/^\d{1,15}$/.test(length)) {
      throw new S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.", 411);
    }
    if (Number(length) > largestObject) {
      throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400, {
        MaxSizeAllowed: largestObject,
        ProposedSize: length,
      });
    }
    const md5 = headers["content-md5"];
    if (md5 !== undefined && !isDigest(md5, 16)) {
      throw new S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.", 400);
    }
    const sha256 = /^[0-9a-f]{64}$/.test(signed.payload) ? signed.payload : undefined;
    return { encoding, length: Number(length), md5, sha256 };
  }
}

interface Expected {
  readonly encoding: Encoding;
  readonly length: number;
  /** In base64. */
  readonly md5: string | undefined;
  /** In hex. */
  readonly sha256: string | undefined;
}

type Encoding = "plain" | { readonly signed: boolean; readonly trailing: boolean };

/** What `x-amz-content-sha256` says of the way in which the body comes. */
function encodingOf(payload: string): Encoding {
  switch (payload) {
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return { signed: true, trailing: false };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return { signed: true, trailing: true };
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return { signed: false, trailing: true };
    case "UNSIGNED-PAYLOAD":
      return "plain";
  }
  if (/^[0-9a-f]{64}$/.test(payload)) return "plain";
  if (payload.startsWith("STREAMING-")) throw notImplemented(`a body as ${payload}`);
  throw new S3Error(
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
    400,
    { ArgumentName: "x-amz-content-sha256", ArgumentValue: payload },
  );
}

/** The algorithm of the checksum that is to come behind the body. */
function announcedIn(trailer: string | undefined): Algorithm | undefined {
  if (trailer === undefined) return undefined;
  const name = trailer.trim().toLowerCase();
  const found = algorithms.find((each) => headerOf(each) === name);
  if (found === undefined)
    throw invalidRequest("The value specified in the x-amz-trailer header is not supported");
  return found;
}
