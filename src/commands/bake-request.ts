import { openOverSsh } from "../bake/builder-machine.ts";
import type { BakeOptions, PauseWait } from "../bake/bake.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import type { Bundle } from "../bundle/bundle.ts";
import type { Plan } from "../plan/plan.ts";
import type { Listener } from "../report/events.ts";
import { ask, canAsk } from "./ask.ts";
import type { BakeArguments, BakeSettings } from "./bake-settings.ts";
import type { Context, GlobalOptions } from "./context.ts";
import { openEndpoint } from "./endpoint.ts";
import { programVersion } from "./project.ts";
import { openRunRecords } from "./run-records.ts";
import type { Session } from "./session.ts";
import { trustedSigners } from "./signing-key.ts";

/**
 * Everything that a bake needs, from the options and the cloud that was chosen.
 * @throws BakeError `usage` for what that cloud cannot do.
 */
export async function bakeRequest(
  argv: GlobalOptions & BakeArguments,
  context: Context,
  session: Session,
  settings: BakeSettings,
  content: { readonly plan: Plan; readonly bundle: Bundle },
): Promise<BakeOptions> {
  const { run, listener, signal } = session;
  const endpoint = await openEndpoint(argv, context, listener);
  const { sshInterface, sshProxyCommand } = argv;
  if (!endpoint.sshInterfaces.includes(sshInterface)) {
    throw new BakeError("usage", `--ssh-interface ${sshInterface} does not exist on a local machine`, {
      hint: `it is reached by ${endpoint.sshInterfaces.join(" or ")}`,
    });
  }
  return {
    cloud: endpoint.cloud,
    plan: content.plan,
    bundle: content.bundle,
    run,
    owner: await endpoint.ownerOf(signal),
    source: settings.source ?? endpoint.newestSource(argv.minimal),
    login: argv.login,
    allowDeprecated: argv.allowDeprecated,
    types: settings.types,
    defaultTypes: endpoint.defaultTypes,
    spot: argv.spot,
    place: { vpc: argv.vpc, subnets: settings.subnets },
    reach: { sshInterface, sshProxyCommand, openMachine: openOverSsh },
    allowCidrs: async (inner) =>
      settings.allowCidrs.length > 0
        ? settings.allowCidrs
        : await endpoint.callerCidrs({ sshInterface, proxied: sshProxyCommand !== undefined }, inner),
    rootVolume: settings.rootVolume,
    instanceProfile: argv.instanceProfile,
    extraTags: settings.extraTags,
    signers: await trustedSigners(context.environment, argv.signer),
    maxBakeSeconds: settings.maxBakeSeconds,
    onError: argv.onError === "ask" ? askWhatToDo(context, listener, signal) : argv.onError,
    pauseAfter:
      argv.pauseAfter === undefined
        ? undefined
        : { service: argv.pauseAfter, wait: pause(argv.pauseAfter, context, listener) },
    resume: argv.resume,
    join: argv.join,
    records: openRunRecords(context.environment, listener),
    version: await programVersion(),
    listener,
    signal,
  };
}

function askWhatToDo(context: Context, listener: Listener, signal: AbortSignal): BakeOptions["onError"] {
  if (!canAsk(context)) {
    throw new BakeError("usage", "--on-error ask needs a terminal to ask at", {
      hint: "say --on-error keep or --on-error cleanup",
    });
  }
  return async (error, instanceId) => {
    const question = `the bake failed: ${messageOf(error)}\nkeep builder ${instanceId}? [y/N] `;
    const answer = await ask(question, context, listener, signal);
    return /^y(es)?$/i.test(answer.trim()) ? "keep" : "cleanup";
  };
}

function pause(service: string, context: Context, listener: Listener): PauseWait {
  if (!canAsk(context)) {
    throw new BakeError("usage", "--pause-after needs a terminal at which somebody presses Enter", {
      hint: "on a machine without one, use --on-error keep and --resume",
    });
  }
  return async (instanceId, signal) => {
    const message = `init of ${service} is done; look around with: \`bake-ami ssh ${instanceId}\`\nEnter goes on `;
    await ask(message, context, listener, signal);
  };
}
