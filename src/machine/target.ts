import type { Secret } from "../base/ids.ts";

/** Where a machine is and how to prove to each other who is who. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The login key; absent means the agent at SSH_AUTH_SOCK. */
  readonly privateKey: Secret | undefined;
  /** Keys to try when the machine does not accept that one. */
  readonly otherKeys?: readonly Secret[];
  /** The only host keys that are accepted, as `type base64`. Never empty: no machine is trusted blindly. */
  readonly hostKeys: readonly string[];
  /** A command whose standard input and output are the connection; %h, %p, %r and %i are replaced. */
  readonly proxyCommand: string | undefined;
  /** For %i in the proxy command, and for messages. */
  readonly instanceId: string | undefined;
}

/** The target as a person would name it. */
export function describeTarget(target: SshTarget): string {
  const address = `${target.user}@${target.host}${target.port === 22 ? "" : `:${target.port}`}`;
  return target.instanceId === undefined ? address : `${target.instanceId} (${address})`;
}

/**
 * The proxy command with its tokens replaced, as OpenSSH does it: %h host, %p port, %r user, %% a percent sign;
 * and %i the instance id, which Session Manager wants.
 */
export function expandProxyCommand(command: string, target: SshTarget): string {
  return command.replaceAll(/%([hpri%])/g, (_, token: string) => {
    switch (token) {
      case "h":
        return target.host;
      case "p":
        return String(target.port);
      case "r":
        return target.user;
      case "i":
        return target.instanceId ?? "";
      default:
        return "%";
    }
  });
}
