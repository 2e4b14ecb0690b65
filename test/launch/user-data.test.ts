import { randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { BakeError, messageOf } from "../../src/base/errors.ts";
import { writeRequest, type RequestLine } from "../../src/launch/request-lines.ts";
import { launchUserData, mostUserData } from "../../src/launch/user-data.ts";

const lines: readonly RequestLine[] = [
  { kind: "set", service: "web", parameter: "greeting", value: "good day,\n welt" },
  { kind: "secret", service: "web", parameter: "token", name: "/app/token" },
  { kind: "log", url: "s3://bucket/logs/run/" },
  { kind: "log-url", index: 0, name: "update.log", url: "https://bucket.s3.amazonaws.com/x?y=z" },
  { kind: "channel-url", url: "https://bucket.s3.amazonaws.com/test.bundle" },
];

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** As cloud-init sees it: unpacked. */
function textOf(data: Buffer | undefined): string {
  const bytes = data ?? Buffer.alloc(0);
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString("latin1");
}

/** The content of each part of a MIME multipart, with its headers. */
function partsOf(text: string): string[] {
  const boundary = /boundary="([^"]+)"/.exec(text)?.[1] ?? "";
  return text
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => part.replace(/^\n/, "").replace(/\n$/, ""));
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toMatchObject({ kind: "usage" });
    return `${messageOf(error)} | ${error instanceof BakeError ? (error.hint ?? "") : ""}`;
  }
  throw new Error("was not refused");
}

test("a launch request in lines: values are base64, and the last line says how many there are", () => {
  expect(writeRequest(lines)).toEqual([
    "#bake-ami launch-request 1",
    `#bake-ami set web greeting ${base64("good day,\n welt")}`,
    `#bake-ami secret web token ${base64("/app/token")}`,
    `#bake-ami log ${base64("s3://bucket/logs/run/")}`,
    `#bake-ami log-url 0 update.log ${base64("https://bucket.s3.amazonaws.com/x?y=z")}`,
    `#bake-ami channel-url ${base64("https://bucket.s3.amazonaws.com/test.bundle")}`,
    "#bake-ami end 5",
  ]);
  expect(writeRequest([])).toEqual([]);
});

test("names that would be words too many are refused", () => {
  expect(
    refusal(() => writeRequest([{ kind: "set", service: "web", parameter: "a b", value: "" }])),
  ).toContain('"a b" cannot be the name of a service or a parameter');
});

test("nothing to say is no user data", () => {
  expect(launchUserData({ lines: [] })).toBeUndefined();
});

test("without user data of the user's own: a cloud-config that has comments and nothing else", () => {
  const [first, ...rest] = textOf(launchUserData({ lines })).split("\n");
  expect(first).toBe("#cloud-config");
  expect(rest).toEqual([...writeRequest(lines), "{}", ""]);
});

test("more of a cloud-config stands below the request", () => {
  const text = textOf(launchUserData({ lines, bootcmd: "bootcmd:\n  - echo\n" }));
  expect(text).toMatch(/\n#bake-ami end 5\nbootcmd:\n {2}- echo\n$/);
  expect(textOf(launchUserData({ lines: [], bootcmd: "bootcmd: []" }))).toBe("#cloud-config\nbootcmd: []\n");
});

test("the user's own alone stays as it is, to the byte", () => {
  const own = Buffer.from("#!/bin/sh\necho hi\n");
  expect(launchUserData({ own, lines: [] })).toBe(own);
  const packed = gzipSync(own);
  expect(launchUserData({ own: packed, lines: [] })).toBe(packed);
});

test("the user's own comes first in a multipart, and the request last", () => {
  const own = "#!/bin/sh\necho hi\n";
  const parts = partsOf(textOf(launchUserData({ own: Buffer.from(own), lines })));
  expect(parts).toEqual([
    `Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\n${own}`,
    [
      'Content-Type: text/cloud-config; charset="us-ascii"',
      "Content-Transfer-Encoding: 7bit",
      "",
      "#cloud-config",
      ...writeRequest(lines),
      "{}",
      "",
    ].join("\n"),
  ]);
  // Whoever has it gzipped gets the same.
  expect(partsOf(textOf(launchUserData({ own: gzipSync(own), lines })))).toEqual(parts);
});

test("what is no plain ASCII is base64", () => {
  const own = Buffer.from("#!/bin/sh\r\necho grüß dich\r\n");
  const [part = ""] = partsOf(textOf(launchUserData({ own, lines })));
  const [headers, body = ""] = part.split("\n\n");
  expect(headers).toBe("Content-Type: text/plain\nContent-Transfer-Encoding: base64");
  expect(Buffer.from(body, "base64")).toEqual(own);
});

test("a multipart of the user's becomes a part as it is, whatever its boundary", () => {
  const own = [
    'Content-Type: multipart/mixed; boundary="bake-ami"',
    "MIME-Version: 1.0",
    "",
    "--bake-ami",
    "Content-Type: text/x-shellscript",
    "",
    "#!/bin/sh",
    "--bake-ami--",
    "",
  ].join("\n");
  const text = textOf(launchUserData({ own: Buffer.from(own), lines }));
  expect(text).toMatch(/^Content-Type: multipart\/mixed; boundary="bake-ami-x"\n/);
  expect(partsOf(text)[0]).toBe(own);
});

test("cloud-config of ours is merged into the user's and takes nothing away", () => {
  const own = Buffer.from("#cloud-config\nbootcmd: [date]\n");
  const text = textOf(launchUserData({ own, lines, bootcmd: "bootcmd: [true]" }));
  expect(text).toContain("X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()");
});

test("lines of ours in the user's own are refused, and so is gzip that is none", () => {
  const own = Buffer.from("#cloud-config\n#bake-ami launch-request 1\n");
  expect(refusal(() => launchUserData({ own, lines: [] }))).toContain('begins with "#bake-ami"');
  expect(refusal(() => launchUserData({ own: gzipSync(own), lines: [] }))).toContain(
    'begins with "#bake-ami"',
  );
  const broken = Buffer.from([0x1f, 0x8b, 1, 2, 3]);
  expect(refusal(() => launchUserData({ own: broken, lines }))).toContain("cannot be unpacked");
});

test("gzip where that is shorter", () => {
  const value = "a".repeat(100_000);
  const long = launchUserData({ lines: [{ kind: "set", service: "web", parameter: "x", value }] });
  expect(long?.length).toBeLessThan(1000);
  expect(textOf(long)).toContain(base64(value));
  const short = launchUserData({ lines: [{ kind: "log", url: "s3://b/" }] });
  expect(short?.toString()).toContain("#bake-ami launch-request 1");
});

test("the limit is EC2's, to the byte; one more is refused with the figure and the remedy", () => {
  const own = Buffer.alloc(mostUserData, "#");
  expect(launchUserData({ own, lines: [] })).toBe(own);
  expect(refusal(() => launchUserData({ own: Buffer.concat([own, own.subarray(0, 1)]), lines: [] }))).toMatch(
    /the user data takes 16,385 bytes, and EC2 takes 16,384 \| gzip your user data, or put most of it/,
  );
  const noise = randomBytes(20_000).toString("hex");
  const refused = refusal(() =>
    launchUserData({ lines: [{ kind: "set", service: "web", parameter: "x", value: noise }] }),
  );
  expect(refused).toMatch(/takes 2\d,\d{3} bytes \(gzipped; 5\d,\d{3} before\), and EC2 takes 16,384/);
  expect(refused).toContain("put long values into Parameter Store and say ssm:/path");
  const urls = Array.from({ length: 60 }, (_, index): RequestLine => {
    const url = `https://bucket.s3.amazonaws.com/${randomBytes(300).toString("hex")}`;
    return { kind: "log-url", index, name: "update.log", url };
  });
  expect(refusal(() => launchUserData({ lines: urls }))).toContain("--instance-profile");
});
