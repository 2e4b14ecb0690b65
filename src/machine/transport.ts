import { spawn } from "node:child_process";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { BakeError } from "../base/errors.ts";
import { interruptedBy, throwIfAborted } from "../base/wait.ts";
import { expandProxyCommand, type SshTarget } from "./target.ts";

/**
 * A byte stream to the machine's SSH server on which the server has already spoken. A port may accept long before
 * anyone listens behind it (port forwarding, load balancers), so only the server's banner counts as an answer.
 * @param patienceMs how long the server may take to send its first byte
 * @throws Error of the connection, BakeError `connection` when nothing spoke in time, `interrupted`.
 */
export async function openTransport(
  target: SshTarget,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Duplex> {
  throwIfAborted(signal);
  const stream = target.proxyCommand === undefined ? dial(target) : runProxy(target.proxyCommand, target);
  return await new Promise<Duplex>((resolve, reject) => {
    const settle = (error: Error | undefined): void => {
      clearTimeout(clock);
      signal.removeEventListener("abort", onAbort);
      stream.off("readable", onReadable);
      stream.off("error", settle);
      stream.off("close", onClose);
      if (error === undefined) resolve(stream);
      else {
        // Whatever still happens on a stream that was given up is nobody's business.
        stream.on("error", () => undefined);
        stream.destroy();
        reject(error);
      }
    };
    const onReadable = (): void => {
      const chunk: unknown = stream.read();
      if (!Buffer.isBuffer(chunk)) return;
      stream.unshift(chunk);
      settle(undefined);
    };
    const onClose = (): void => {
      settle(new BakeError("connection", "the connection was closed before the SSH server spoke"));
    };
    const onAbort = (): void => {
      settle(interruptedBy(signal));
    };
    const clock = setTimeout(() => {
      settle(new BakeError("connection", `no SSH server spoke within ${patienceMs / 1000} s`));
    }, patienceMs);
    signal.addEventListener("abort", onAbort, { once: true });
    stream.on("readable", onReadable);
    stream.on("error", settle);
    stream.on("close", onClose);
  });
}

function dial(target: SshTarget): Duplex {
  const socket = connect({ host: target.host, port: target.port });
  socket.setNoDelay(true);
  return socket;
}

/** The proxy command is a string that the user wrote for a shell, so a shell gets it, as with OpenSSH. */
function runProxy(command: string, target: SshTarget): Duplex {
  const child = spawn("/bin/sh", ["-c", `exec ${expandProxyCommand(command, target)}`], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", (error) => {
    stream.destroy(error);
  });
  child.on("exit", (status) => {
    if (status === 0 || status === null) return;
    const said = complaint.trim();
    stream.destroy(
      new BakeError(
        "connection",
        `the SSH proxy command ended with status ${status}${said === "" ? "" : `: ${said}`}`,
      ),
    );
  });
  stream.on("close", () => {
    child.kill("SIGTERM");
  });
  return stream;
}
