import { ApiError } from "./protocol/errors.ts";
import type { State } from "./state/schema.ts";

/** Each forwarded port is a listening socket of QEMU's, so there is a limit where EC2 has none. */
export const maxPorts = 64;

/**
 * The TCP ports that security groups open for someone outside, sorted.
 * @throws ApiError `InvalidParameterValue` when there are more than 64.
 */
export function openPorts(state: Pick<State, "securityGroups">, groupIds: readonly string[]): number[] {
  const ports = new Set<number>();
  for (const group of state.securityGroups) {
    if (!groupIds.includes(group.id)) continue;
    for (const rule of group.rules) {
      // A rule for another group's instances opens nothing: machines of the local cloud do not see each other.
      if (rule.source.startsWith("sg-")) continue;
      const [from, to] = rule.protocol === "-1" ? [0, 65535] : [rule.fromPort, rule.toPort];
      if (to - from >= maxPorts) throw tooMany(group.id);
      for (let port = from; port <= to; port += 1) ports.add(port);
      if (ports.size > maxPorts) throw tooMany(group.id);
    }
  }
  return [...ports].sort((a, b) => a - b);
}

function tooMany(groupId: string): ApiError {
  return new ApiError(
    "InvalidParameterValue",
    `The local cloud forwards at most ${maxPorts} ports to an instance; security group '${groupId}' opens more`,
  );
}
