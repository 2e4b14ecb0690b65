import { describe, expect, test } from "vitest";
import { runningDigest, type Algorithm } from "../../src/local/s3/checksums.ts";
import { chunkedContent, type Trailers } from "../../src/local/s3/chunked.ts";
import { signingKey } from "../../src/local/s3/signature.ts";
import { parseXml } from "../../src/local/s3/xml.ts";

/*
 * The examples that AWS publishes: 65 KiB of the letter a in two chunks and an empty one. (Amazon S3 API Reference,
 * "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks")
 */
const scope = { date: "20130524", region: "us-east-1", service: "s3" };

const plain = {
  seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
  chunks: [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
  ],
  trailer: "\r\n",
};

const trailing = {
  seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
  chunks: [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
  ],
  trailer:
    "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
};

function bodyOf({ chunks, trailer }: typeof plain): string {
  const sizes = [65_536, 1024, 0];
  return chunks
    .map((signature, index) => {
      const size = sizes[index] ?? 0;
      const head = `${size.toString(16)};chunk-signature=${signature}\r\n`;
      return size === 0 ? head : `${head}${"a".repeat(size)}\r\n`;
    })
    .join("")
    .concat(trailer);
}

async function* inPieces(body: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

async function read(
  body: string,
  seed: string | undefined,
  trailing: boolean,
  size = 10_000,
): Promise<{ content: string; trailers: Trailers }> {
  const key = signingKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
  const signed = { timestamp: "20130524T000000Z", scope, key, signature: seed ?? "", payload: "" };
  const found: { trailers: Trailers } = { trailers: {} };
  let content = "";
  const pieces = chunkedContent(inPieces(body, size), {
    ...(seed === undefined ? {} : { signed }),
    trailing,
    onTrailers: (trailers) => {
      found.trailers = trailers;
    },
  });
  for await (const piece of pieces) content += Buffer.from(piece).toString("latin1");
  return { content, ...found };
}

describe("signed chunks", () => {
  test.each([1, 7, 1000, 65_536, 1_000_000])("read in pieces of %i bytes", async (size) => {
    expect((await read(bodyOf(plain), plain.seed, false, size)).content).toBe("a".repeat(66_560));
  });

  test("with trailing headers", async () => {
    const { content, trailers } = await read(bodyOf(trailing), trailing.seed, true);
    expect(content).toHaveLength(66_560);
    expect(trailers).toEqual({ "x-amz-checksum-crc32c": "sOO8/Q==" });
    const digest = runningDigest("CRC32C");
    digest.update(Buffer.from(content));
    expect(digest.digest().toString("base64")).toBe("sOO8/Q==");
  });

  test.each<[what: string, change: (body: string) => string, code: string]>([
    ["content", (body) => body.replace("aaa", "aab"), "SignatureDoesNotMatch"],
    ["a signature", (body) => body.replace("0055627c", "1055627c"), "SignatureDoesNotMatch"],
    [
      "no signature",
      (body) => body.replace(/;chunk-signature=0055627c[0-9a-f]*/, ""),
      "SignatureDoesNotMatch",
    ],
    ["the last chunk's", (body) => body.replace("b6c6ea8a", "b6c6ea8b"), "SignatureDoesNotMatch"],
    ["a size", (body) => body.replace("10000;", "zz;"), "InvalidRequest"],
    ["a chunk cut short", (body) => body.slice(0, 70_000 - 5000), "IncompleteBody"],
    ["no end", (body) => body.slice(0, -4), "IncompleteBody"],
    ["more than there is", (body) => `${body}more`, "IncompleteBody"],
    ["trailers that nobody announced", (body) => body.slice(0, -2) + "a:b\r\n\r\n", "InvalidRequest"],
  ])("a change of %s is noticed", async (_, change, code) => {
    await expect(read(change(bodyOf(plain)), plain.seed, false)).rejects.toMatchObject({ code });
  });

  test("a change of trailing headers is noticed", async () => {
    const changed = bodyOf(trailing).replace("sOO8", "sOO9");
    await expect(read(changed, trailing.seed, true)).rejects.toMatchObject({ code: "SignatureDoesNotMatch" });
    const unsigned = bodyOf(trailing).replace(/x-amz-trailer-signature:.*\r\n/, "");
    await expect(read(unsigned, trailing.seed, true)).rejects.toMatchObject({
      code: "SignatureDoesNotMatch",
    });
  });
});

test("chunks without signatures", async () => {
  const body = "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Amz-Checksum-CRC32:DUoRhQ==\r\n\r\n";
  expect(await read(body, undefined, true, 3)).toEqual({
    content: "hello world",
    trailers: { "x-amz-checksum-crc32": "DUoRhQ==" },
  });
});

test.each<[Algorithm, string]>([
  ["CRC32", "cbf43926"],
  ["CRC32C", "e3069283"],
  ["CRC64NVME", "ae8b14860a799888"],
])("%s of the digits is what its definition says", (algorithm, value) => {
  for (const pieces of [["123456789"], ["1", "2345", "", "6789"]]) {
    const digest = runningDigest(algorithm);
    for (const piece of pieces) digest.update(Buffer.from(piece));
    expect(digest.digest().toString("hex")).toBe(value);
  }
});

describe("XML that clients send", () => {
  test("elements, entities, comments and name spaces", () => {
    const { name, children } = parseXml(
      '<?xml version="1.0"?>\n<a xmlns="x" y=\'z\'><!-- no --><s:b>1 &lt; 2 &amp;&#x41;&#66;</s:b><c/><b> </b></a>\n',
    );
    expect(name).toBe("a");
    expect(children).toEqual([
      { name: "b", children: [], text: "1 < 2 &AB" },
      { name: "c", children: [], text: "" },
      { name: "b", children: [], text: " " },
    ]);
  });

  test.each([
    "",
    "text",
    "<a>",
    "</a>",
    "<a></b>",
    "<a/><b/>",
    "<a>&other;</a>",
    "<a>& </a>",
    "<a>&#x110000;</a>",
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "<a b></a>",
    "<a/>x",
  ])("%s is malformed", (text) => {
    expect(() => parseXml(text)).toThrow(/not well-formed/);
  });
});
