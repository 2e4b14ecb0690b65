import {
  CancelSpotInstanceRequestsCommand,
  DescribeSpotInstanceRequestsCommand,
  type Filter,
} from "@aws-sdk/client-ec2";
import { allPages, type Cloud } from "./cloud.ts";
import { unlessGone } from "./cloud-error.ts";
import { readTags, type TaggedResource } from "./tags.ts";
import { deletionVisibleSeconds } from "./visibility.ts";

/** A request for spot capacity; a persistent one starts an instance again whenever it has none. */
export interface SpotRequest extends TaggedResource {
  readonly persistent: boolean;
  /** Whether it may still start an instance. */
  readonly alive: boolean;
  readonly instanceId: string | undefined;
}

/** The spot requests that match all filters. */
export async function describeSpotRequests(
  cloud: Cloud,
  filters: Filter[],
  signal: AbortSignal,
): Promise<SpotRequest[]> {
  const pages = await allPages((next) =>
    cloud.ask("DescribeSpotInstanceRequests", signal, (o) =>
      cloud.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters: filters, ...next }), o),
    ),
  );
  return pages.flatMap((page) =>
    (page.SpotInstanceRequests ?? []).flatMap((raw) =>
      raw.SpotInstanceRequestId === undefined
        ? []
        : [
            {
              id: raw.SpotInstanceRequestId,
              persistent: raw.Type === "persistent",
              alive: raw.State === "open" || raw.State === "active" || raw.State === "disabled",
              instanceId: raw.InstanceId === "" ? undefined : raw.InstanceId,
              tags: readTags(raw.Tags),
            },
          ],
    ),
  );
}

/** Ends spot requests, so that they start nothing any more. The instances that they have started run on. */
export async function cancelSpotRequests(
  cloud: Cloud,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length === 0) return;
  await unlessGone(
    cloud.ask(
      "CancelSpotInstanceRequests",
      signal,
      (o) => cloud.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [...ids] }), o),
      {
        resource: ids.join(" "),
        appears: {
          codes: ["InvalidSpotInstanceRequestID.NotFound"],
          withinSeconds: deletionVisibleSeconds,
        },
      },
    ),
  );
}
