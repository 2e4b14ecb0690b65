import { stopInstance, waitForState } from "../aws/instances.ts";
import type { Image } from "../aws/images.ts";
import { runTags, tagKeys } from "../aws/tags.ts";
import { warnOfLeftover, type Creation } from "../aws/temporary.ts";
import { Scope } from "../base/scope.ts";
import { inStage } from "../report/stage.ts";
import type { Builder } from "./builder.ts";
import { imageDeadlineSeconds, imageName, makeImage } from "./image.ts";
import type { BakeOptions, TrustedKey } from "./options.ts";
import { describeImage, type Prepared } from "./prepare.ts";

const stopDeadlineSeconds = 900;
const undoDeadlineSeconds = 600;

/** Stops a sealed builder. EC2 does not stop a one-time spot instance; of that one the image is made as it runs. */
export async function stopBuilder(creation: Creation, builder: Builder): Promise<void> {
  if (builder.spot) return;
  const { cloud, listener, signal } = creation;
  await inStage(listener, "stop", async () => {
    await stopInstance(cloud, builder.instanceId, signal);
    await waitForState(cloud, builder.instanceId, "stopped", stopDeadlineSeconds, signal);
  });
}

/** Makes the image of a sealed builder, described wholly by its tags. */
export async function turnIntoImage(
  creation: Creation,
  builder: Builder,
  options: BakeOptions,
  { source, digest, contentTags }: Prepared,
): Promise<Image> {
  const { cloud, listener } = creation;
  const name = imageName(options.plan.requested, options.run);
  // Longer than the builder's: an image may take many hours, and nobody may take it for a leftover meanwhile.
  const expires = new Date(cloud.clock.now() + imageDeadlineSeconds * 1000);
  const tags = new Map([
    ...options.extraTags,
    ...runTags({ run: builder.run, owner: options.owner, role: "image", expires }),
    ...contentTags,
    ["Name", name],
    [tagKeys.digest, digest],
    [tagKeys.base, source.image.id],
    [tagKeys.version, options.version],
    [tagKeys.login, source.login],
    ...signerTag(options.signers ?? []),
  ]);
  // Of its own: a half-made image goes even when the builder stays.
  await using scope = new Scope(undoDeadlineSeconds, warnOfLeftover(listener));
  return await inStage(listener, "image", () =>
    makeImage(
      { ...creation, scope },
      {
        instanceId: builder.instanceId,
        name,
        description: describeImage(options, source),
        tags,
        reboot: builder.spot,
      },
      () => builder.releaseAccess(),
    ),
  );
}

function signerTag(signers: readonly TrustedKey[]): [string, string][] {
  if (signers.length === 0) return [];
  return [[tagKeys.signer, signers.map(({ fingerprint }) => fingerprint).join(" ")]];
}
