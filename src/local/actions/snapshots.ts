import { z } from "zod";
import { ApiError, byId, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters, page, pageParameters } from "../protocol/listing.ts";
import { list, text } from "../protocol/query.ts";
import { accountId, type Snapshot } from "../state/schema.ts";
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
      const { snapshots, images } = await context.read();
      const copied = new Set(images.flatMap((it) => (it.state === "pending" ? [it.snapshotId] : [])));
      const statusOf = ({ id }: Snapshot): string => (copied.has(id) ? "pending" : "completed");
      const progressOf = ({ id }: Snapshot): string => (copied.has(id) ? "0%" : "100%");
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
          progress: (it) => [progressOf(it)],
          "snapshot-id": (it) => [it.id],
          "start-time": (it) => [new Date(it.startedAt).toISOString()],
          status: (it) => [statusOf(it)],
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
          status: statusOf(it),
          startTime: new Date(it.startedAt),
          progress: progressOf(it),
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
