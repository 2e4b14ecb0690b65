import { z } from "zod";
import { byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import { action } from "./action.ts";
import { tagSet } from "./tags.ts";

export const volumeActions = [
  action(
    "DescribeVolumes",
    z.strictObject({ VolumeId: list(text), ...filterParameters, ...pageParameters }),
    async (context, asked) => {
      const state = await context.read();
      const all = state.instances
        .filter((it) => it.state !== "terminated")
        .map((instance) => ({ instance, ...instance.volume }));
      const known = asked.VolumeId.length > 0 ? byIds("volume", asked.VolumeId, all, ({ id }) => id) : all;
      const matching = filtered(
        known,
        asked.Filter,
        {
          "volume-id": (it) => [it.id],
          "attachment.instance-id": (it) => [it.instance.id],
          "attachment.device": (it) => [it.deviceName],
          "attachment.status": () => ["attached"],
          "availability-zone": (it) => [it.instance.zone],
          "snapshot-id": (it) => [it.snapshotId],
          size: (it) => [String(it.sizeGiB)],
          status: () => ["in-use"],
          "volume-type": (it) => [it.type],
          encrypted: (it) => [String(it.kmsKeyId !== undefined)],
        },
        ({ tags }) => tags,
      );
      const { items, nextToken } = page(matching, asked);
      return {
        volumeSet: items.map((volume) => ({
          volumeId: volume.id,
          size: volume.sizeGiB,
          snapshotId: volume.snapshotId,
          availabilityZone: volume.instance.zone,
          status: "in-use",
          createTime: new Date(volume.createdAt),
          attachmentSet: [
            {
              volumeId: volume.id,
              instanceId: volume.instance.id,
              device: volume.deviceName,
              status: "attached",
              attachTime: new Date(volume.createdAt),
              deleteOnTermination: volume.deleteOnTermination,
            },
          ],
          volumeType: volume.type,
          iops: volume.iops,
          throughput: volume.throughput,
          volumeInitializationRate: volume.initializationRate,
          encrypted: volume.kmsKeyId !== undefined,
          kmsKeyId: volume.kmsKeyId,
          multiAttachEnabled: false,
          tagSet: tagSet(volume.tags),
        })),
        nextToken,
      };
    },
  ),
];
