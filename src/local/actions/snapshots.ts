import { z } from "zod";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import { accountId } from "../state/schema.ts";
import { action } from "./action.ts";
import { notYours, ownedBy } from "./owners.ts";
import { tagSet } from "./tags.ts";

export const snapshotActions = [
  action(
    "DescribeSnapshots",
    z.strictObject({
      SnapshotId: list(text),
      Owner: list(text),
      RestorableBy: list(text),
      ...filterParameters,
      ...pageParameters,
    }),
    async (context, asked) => {
      const { snapshots } = await context.read();
      const known =
        asked.SnapshotId.length > 0
          ? byIds("snapshot", asked.SnapshotId, snapshots, ({ id }) => id)
          : snapshots;
      const owned = known.filter((it) =>
        [asked.Owner, asked.RestorableBy].every(
          (owners) => owners.length === 0 || owners.some((owner) => ownedBy(it, owner)),
        ),
      );
      const matching = filtered(
        owned,
        asked.Filter,
        {
          description: (it) => [it.description],
          encrypted: (it) => [String(it.kmsKeyId !== undefined)],
          "owner-id": (it) => [it.ownerId],
          progress: () => ["100%"],
          "snapshot-id": (it) => [it.id],
          "start-time": (it) => [new Date(it.startedAt).toISOString()],
          status: () => ["completed"],
          "volume-id": (it) => [it.volumeId],
          "volume-size": (it) => [String(it.sizeGiB)],
        },
        ({ tags }) => tags,
      );
      const { items, nextToken } = page(matching, asked);
      return {
        snapshotSet: items.map((it) => ({
          snapshotId: it.id,
          volumeId: it.volumeId,
          status: "completed",
          startTime: new Date(it.startedAt),
          progress: "100%",
          ownerId: it.ownerId,
          volumeSize: it.sizeGiB,
          description: it.description,
          encrypted: it.kmsKeyId !== undefined,
          kmsKeyId: it.kmsKeyId,
          tagSet: tagSet(it.tags),
        })),
        nextToken,
      };
    },
  ),

  action("DeleteSnapshot", z.strictObject({ SnapshotId: text }), async (context, request) => {
    await context.change((draft) => {
      const snapshot = byId("snapshot", request.SnapshotId, draft.snapshots, ({ id }) => id);
      if (snapshot.ownerId !== accountId) throw notYours(snapshot.id);
      const user = draft.images.find(({ snapshotId }) => snapshotId === snapshot.id);
      if (user !== undefined) {
        throw new ApiError(
          "InvalidSnapshot.InUse",
          `The snapshot ${snapshot.id} is currently in use by ${user.id}`,
        );
      }
      draft.snapshots = draft.snapshots.filter((each) => each !== snapshot);
    });
    return { return: true };
  }),
];
