import type { LaunchOptions } from "../launch/launch.ts";
import type { Watch } from "../launch/wait.ts";
import { tailUpdate } from "../launch/wait-tail.ts";
import type { Context } from "./context.ts";
import { reachInstance } from "./reach.ts";

/** Shows what each machine of a launch does in its first update: `launch --tail`. */
export function tailOf(
  argv: { readonly identity: string | undefined; readonly login: string | undefined },
  context: Context,
  { cloud, owner, count, listener }: LaunchOptions,
): Watch {
  const { identity, login } = argv;
  return async (instance, signal) => {
    await tailUpdate(
      instance,
      {
        cloud,
        several: count > 1,
        target: async (each, inner) => {
          const ways = { identity, login, sshProxyCommand: undefined };
          return await reachInstance(each, ways, context, { cloud, owner, signal: inner });
        },
        listener,
      },
      signal,
    );
  };
}
