import type { Cloud } from "../aws/cloud.ts";
import { consoleOutput } from "../aws/instances.ts";
import { poll } from "../aws/poll.ts";
import { readHostKeys } from "./outcome.ts";

/** How long a console may take to show the host keys; EC2 fills it in within some minutes. In seconds. */
const consoleDeadlineSeconds = 300;

/**
 * The host keys that a machine's console shows, as `type base64`.
 * @throws BakeError `timeout` when it shows none, `interrupted`
 */
export async function waitForHostKeys(cloud: Cloud, id: string, signal: AbortSignal): Promise<string[]> {
  return await poll(
    `the host keys of ${id} on its console`,
    consoleDeadlineSeconds,
    signal,
    async (inner) => {
      const found = readHostKeys(await consoleOutput(cloud, id, inner));
      return found.length > 0 ? found : undefined;
    },
    { clock: cloud.clock },
  );
}
