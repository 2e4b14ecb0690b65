/** What a service may be called. It becomes a systemd instance name, a directory and a word of the command line. */
export const serviceNamePattern = /^[a-z][a-z0-9-]{0,62}$/;

/** What a parameter may be called, so that it becomes the name of an environment variable. */
export const parameterNamePattern = /^[a-z][a-z0-9_-]*$/;

/**
 * What a step's file may be called: it travels in tab-separated lists and in event lines, where a space would end
 * the word.
 */
export const stepNamePattern = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

/** Parameters of these names would hide what the machine itself tells every step. */
export const reservedParameterNames: readonly string[] = ["phase", "service", "service-dir"];

/** The environment variable in which a step finds a parameter: `listen-port` is `BAKE_LISTEN_PORT`. */
export function environmentName(parameter: string): string {
  return `BAKE_${parameter.toUpperCase().replaceAll("-", "_")}`;
}

/** A valid service name close to `text`, or undefined when nothing of it can be kept. */
export function asServiceName(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[-0-9]+|-+$/g, "")
    .slice(0, 63);
  return serviceNamePattern.test(name) ? name : undefined;
}

/** Compares by code unit, which no locale changes: the order of everything that must not depend on the computer. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
