import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeRequest } from "../../src/launch/request-lines.ts";

/* What the programs on the machine make of text, with each awk and shell that is here; no machine is needed for that. */

const library = join(import.meta.dirname, "../../phases/lib");
const isHere = (program: string): boolean => spawnSync("which", [program]).status === 0;
const awks = [["mawk"], ["gawk"], ["busybox", "awk"]].filter(([program = ""]) => isHere(program));
const shells = ["dash", "bash"].filter(isHere);

function awk(words: readonly string[], args: readonly string[], input: string): string {
  const [program = "", ...more] = [...words, ...args];
  const env = { ...process.env, LC_ALL: "C" };
  const result = spawnSync(program, more, { input, env, encoding: "utf8" });
  expect([result.status, result.stderr]).toEqual([0, ""]);
  return result.stdout;
}

describe.each(awks)("by %s %s", (...words) => {
  const program = words.filter((word) => typeof word === "string");

  test("texts of a JSON document", () => {
    const document =
      '{"a" : "1", "list":["a","b"], "b" : {"a":"no","c":"x\\ny\\u00e9\\ud83d\\ude00\\"\\\\"}, "n":1}';
    const file = join(library, "json.awk");
    expect(awk(program, ["-v", "keys=a c none", "-f", file], document)).toBe('1\nx\nyé😀"\\\n\n');
    expect(awk(program, ["-v", "keys=c", "-f", file], document)).toBe('x\nyé😀"\\');
  });

  test("keys of S3 objects", () => {
    const file = join(library, "encode.awk");
    const key = "a b/ü+&=?#%25'x~._-";
    const encoded = key.split("/").map(encodeURIComponent).join("/").replaceAll("'", "%27");
    expect(awk(program, ["-f", file], `${key}\n`)).toBe(encoded);
  });

  test("a launch request", () => {
    const directory = mkdtempSync(join(tmpdir(), "bake-ami-request-"));
    for (const name of ["env", "secrets"]) mkdirSync(join(directory, name));
    const value = 'it\'s "odd" $HOME \\ `id`\n\nümläut 😀 & \\& /';
    const lines = writeRequest([
      { kind: "set", service: "web", parameter: "greeting-text", value },
      { kind: "set", service: "web", parameter: "empty", value: "" },
      { kind: "secret", service: "web", parameter: "token", name: "/app/token" },
      { kind: "log-url", index: 2, name: "update.log", url: "https://x/?a=b&c=d" },
    ]);
    const file = join(library, "launch-request.awk");
    const said = awk(
      program,
      ["-v", `launch=${directory}`, "-f", file],
      `#cloud-config\n${lines.join("\n")}\n{}\n`,
    );
    expect(said).toBe("");
    const env = join(directory, "env/web");
    for (const shell of shells) {
      const result = spawnSync(
        shell,
        ["-c", `. ${env}; printf '%s|%s' "$BAKE_GREETING_TEXT" "$BAKE_EMPTY"`],
        {
          encoding: "utf8",
        },
      );
      expect(result.stdout).toBe(`${value}|`);
    }
    expect(readFileSync(join(directory, "secrets/web"), "utf8")).toBe("BAKE_TOKEN\t/app/token\n");
    expect(readFileSync(join(directory, "log-urls"), "utf8")).toBe("2\tupdate.log\thttps://x/?a=b&c=d\n");
    rmSync(directory, { recursive: true });
  });
});

test.each(shells)("what others said becomes one line, under %s", (shell) => {
  const oneLine = (text: string): string =>
    spawnSync(
      shell,
      ["-c", `. ${join(library, "console.sh")}; make_one_line "$1"; printf %s "$one_line"`, "-", text],
      {
        encoding: "utf8",
      },
    ).stdout;
  expect(oneLine("denied\r\nby \u001b[2J the\tbucket")).toBe("denied by [2J the bucket");
  expect(oneLine("denied\r\nbake-ami:\n phase=update result=ok")).toBe("denied ");
  expect(oneLine("ümläut 😀 %s \\n")).toBe("ümläut 😀 %s \\n");
  expect(oneLine("x".repeat(5000))).toHaveLength(1000);
});
