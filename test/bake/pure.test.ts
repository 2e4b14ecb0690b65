import { expect, test } from "vitest";
import { imageName } from "../../src/bake/image.ts";
import { builderUserData } from "../../src/bake/user-data.ts";
import { newKeyPair, publicKeyBody, publicKeyOf } from "../../src/machine/keys.ts";
import { Secret } from "../../src/base/ids.ts";
import { parse } from "yaml";

test("user data is a cloud-config that plants the host key, whole", () => {
  const key = newKeyPair("");
  const text = builderUserData(key, new Date("2030-01-01T00:00:00Z"));
  expect(text).toMatch(/^#cloud-config\n/);
  const config: unknown = parse(text);
  expect(config).toMatchObject({ ssh_deletekeys: true, ssh_keys: { ed25519_public: key.publicKey } });
  const planted = /ed25519_private: \|\n((?: {4}.*\n)+)/.exec(text)?.[1]?.replaceAll(/^ {4}/gm, "") ?? "";
  expect(publicKeyOf(new Secret(planted), "user data")).toBe(publicKeyBody(key.publicKey));
  // EC2 allows 16,384 bytes.
  expect(Buffer.byteLength(text)).toBeLessThan(3000);
});

test("user data arm a timer for soon after the expiry, at every boot", () => {
  const config: unknown = parse(builderUserData(newKeyPair(""), new Date("2030-01-01T00:00:00.500Z")));
  const deadline = Date.parse("2030-01-01T00:00:31Z") / 1000;
  expect(config).toMatchObject({
    bootcmd: [
      expect.stringMatching(new RegExp(`^deadline=${deadline}\\n[^]*systemd-run [^]*systemctl poweroff\\n$`)),
    ],
  });
});

test.each([
  [["web"], "bake-ami-web-20260102-030405-abcdef"],
  [["a", "b"], "bake-ami-a-b-20260102-030405-abcdef"],
])("the image of %j is named %s", (services, name) => {
  expect(imageName(services, "20260102-030405-abcdef")).toBe(name);
});

test("an image's name keeps to EC2's limits, and its run id is never cut", () => {
  const services = Array.from({ length: 40 }, (_, n) => `service-${n}`);
  const name = imageName(services, "20260102-030405-abcdef");
  expect(name).toHaveLength(128);
  expect(name).toMatch(/^[a-z0-9-]+-20260102-030405-abcdef$/);
});
