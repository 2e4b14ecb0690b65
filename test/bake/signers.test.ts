import { DescribeImagesCommand } from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { bake } from "../../src/bake/bake.ts";
import type { TrustedKey } from "../../src/bake/options.ts";
import { readSignerKey } from "../../src/fleet/sign.ts";
import { newKeyPair } from "../../src/machine/keys.ts";
import { testBake, willingMachines } from "../support/bake.ts";
import { failureOf } from "../support/failure.ts";
import { stateOnlyCloud } from "../support/local-cloud.ts";

const newKey = (): TrustedKey => readSignerKey(newKeyPair("").publicKey);

test("the keys of an image go to its seal, and their fingerprints into its tags", async () => {
  await using local = await stateOnlyCloud();
  const signers = [newKey(), newKey()];
  const it = testBake(local, { signers });
  const sealed: (readonly string[])[] = [];
  const openMachine = willingMachines(it.log, {
    seal: (_, keys) => {
      sealed.push(keys);
      return Promise.resolve();
    },
  });
  await bake({ ...it.options, reach: { ...it.options.reach, openMachine } });
  expect(sealed).toEqual([signers.map(({ publicKey }) => publicKey)]);
  const { Images = [] } = await local.ec2.send(new DescribeImagesCommand({ Owners: ["self"] }));
  const tags = new Map(Images[0]?.Tags?.map(({ Key, Value }) => [Key, Value]));
  expect(tags.get("bake-ami:signer")).toBe(signers.map(({ fingerprint }) => fingerprint).join(" "));
});

test("an image that trusts nobody says nothing", async () => {
  await using local = await stateOnlyCloud();
  await bake(testBake(local).options);
  const { Images = [] } = await local.ec2.send(new DescribeImagesCommand({ Owners: ["self"] }));
  expect(Images[0]?.Tags?.map(({ Key }) => Key)).not.toContain("bake-ami:signer");
});

test("more keys than a tag has room for are refused before anything is started", async () => {
  await using local = await stateOnlyCloud();
  const many = Array.from({ length: 6 }, newKey);
  expect(
    many
      .slice(0, 5)
      .map(({ fingerprint }) => fingerprint)
      .join(" ").length,
  ).toBeLessThanOrEqual(256);
  const it = testBake(local, { signers: many });
  expect(await failureOf(bake(it.options))).toMatchObject({ kind: "usage" });
  expect(it.events).toEqual([]);
});

test("with other keys it is another image", async () => {
  await using local = await stateOnlyCloud();
  const digestWith = async (signers: readonly TrustedKey[]): Promise<string | undefined> => {
    const { imageId } = await bake(testBake(local, { signers }).options);
    const { Images = [] } = await local.ec2.send(new DescribeImagesCommand({ ImageIds: [imageId] }));
    return Images[0]?.Tags?.find(({ Key }) => Key === "bake-ami:digest")?.Value;
  };
  const [one, other] = [newKey(), newKey()];
  const digests = [await digestWith([one]), await digestWith([other]), await digestWith([one])];
  expect(digests[0]).toBe(digests[2]);
  expect(digests[0]).not.toBe(digests[1]);
});
