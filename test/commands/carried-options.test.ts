import { expect, test } from "vitest";
import { carriedIn, carriedOf, carryInto } from "../../src/commands/carried-options.ts";

const local = carriedIn(["launch", "web", "--local"]);
const aws = carriedIn([
  "ls",
  "--region",
  "eu-west-1",
  "--profile=my work",
  "--owner",
  "ann",
  "--project",
  "/p",
]);

test.each([
  ["`bake-ami logs i-1`", "`bake-ami logs i-1 --local`"],
  [
    "bake one: `bake-ami web`; then `bake-ami ls`",
    "bake one: `bake-ami web --local`; then `bake-ami ls --local`",
  ],
  ["`bake-ami ssh i-1 -- uptime`", "`bake-ami ssh i-1 --local -- uptime`"],
  ["`bake-ami web --local`", "`bake-ami web --local`"],
  ["`bake-ami apply web --machine latest`", "`bake-ami apply web --machine latest --local`"],
  // These ask no cloud.
  ["`bake-ami local setup --force`", "`bake-ami local setup --force`"],
  ["`bake-ami plan web`", "`bake-ami plan web`"],
  ["`bake-ami apply web --host a@b`", "`bake-ami apply web --host a@b`"],
  ["`bake-ami ls --help`", "`bake-ami ls --help`"],
  ["bake-ami is a program", "bake-ami is a program"],
  // Else it would go to the account that the user has.
  [
    "make it: `aws s3 mb s3://b`",
    "make it: `aws --endpoint-url URL s3 mb s3://b` (the URL is what `bake-ami local serve` prints)",
  ],
])("%s becomes %s", (text, expected) => {
  expect(carryInto(text, local)).toBe(expected);
});

test("Region, profile and owner go along as a shell reads them, the project where it is read", () => {
  const options = "--region eu-west-1 --profile 'my work' --owner ann";
  expect(carryInto("`bake-ami logs i-1`", aws)).toBe(`\`bake-ami logs i-1 ${options}\``);
  expect(carryInto("`aws s3 mb s3://b`", aws)).toBe("`aws s3 mb s3://b`");
  expect(carryInto("`bake-ami web`", aws)).toBe(`\`bake-ami web ${options} --project /p\``);
  expect(carryInto("`bake-ami plan web`", aws)).toBe("`bake-ami plan web --project /p`");
  expect(carryInto("`bake-ami web --region x`", aws)).toBe(
    "`bake-ami web --region x --profile 'my work' --owner ann --project /p`",
  );
});

test("what stands after -- is none of ours", () => {
  expect(carriedIn(["ssh", "i-1", "--", "ls", "--local"])).toEqual({ cloud: [], project: [] });
});

test("of options that were read", () => {
  const options = {
    ...{ local: true, region: undefined, profile: undefined, owner: "a b", project: "/p" },
    ...{ json: false, quiet: false, debug: false },
  };
  expect(carriedOf(options, "/p")).toEqual({ cloud: ["--local", "--owner 'a b'"], project: [] });
  expect(carriedOf(options, "/q").project).toEqual(["--project /p"]);
});
