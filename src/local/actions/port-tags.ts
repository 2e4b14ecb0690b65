import type { Instance, Tags } from "../state/schema.ts";

/**
 * Tags that say where to find the open ports of an instance that do not answer under their own numbers:
 * `bake-ami:ssh-port`, and `bake-ami:port-<n>` for each other.
 */
export function portTags(instance: Pick<Instance, "forwards">): Tags {
  return Object.fromEntries(
    instance.forwards
      .filter(({ port, hostPort }) => port !== hostPort)
      .map(({ port, hostPort }) => [tagOf(port), String(hostPort)]),
  );
}

/** Replaces the tags of the ports that an instance had by those of the ports that it has now. */
export function retagPorts(instance: Instance, before: Instance["forwards"]): void {
  const gone = new Set(before.map(({ port }) => tagOf(port)));
  const kept = Object.entries(instance.tags).filter(([key]) => !gone.has(key));
  instance.tags = { ...Object.fromEntries(kept), ...portTags(instance) };
}

function tagOf(port: number): string {
  return port === 22 ? "bake-ami:ssh-port" : `bake-ami:port-${port}`;
}
