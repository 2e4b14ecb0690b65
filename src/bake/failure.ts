import { addTags } from "../aws/images.ts";
import { tagKeys } from "../aws/tags.ts";
import { BakeError, messageOf } from "../base/errors.ts";
import type { BakeOptions } from "./options.ts";

/** Whether the builder stays after this failure. An interruption always cleans up. */
export async function staysAfter(
  error: unknown,
  onError: BakeOptions["onError"],
  instanceId: string,
): Promise<boolean> {
  if (error instanceof BakeError && error.kind === "interrupted") return false;
  return (typeof onError === "function" ? await onError(error, instanceId) : onError) === "keep";
}

/** Marks a builder as one that its owner wants to look at. It stays a builder: it expires like any other. */
export async function markKept(options: BakeOptions, instanceId: string): Promise<void> {
  try {
    await addTags(options.cloud, [instanceId], new Map([[tagKeys.kept, "yes"]]), options.signal);
  } catch (error) {
    options.listener({
      type: "warning",
      at: Date.now(),
      message: `${instanceId} could not be marked as kept: ${messageOf(error)}`,
    });
  }
}

/** The failure, with how to look at the builder and how to go on. */
export function withWayOn(
  error: unknown,
  options: Pick<BakeOptions, "plan">,
  instanceId: string,
  expires: Date,
): BakeError {
  const services = options.plan.requested.join(" ");
  const hint = [
    ...(error instanceof BakeError && error.hint !== undefined ? [error.hint] : []),
    `builder ${instanceId} is kept until ${expires.toISOString().slice(0, 16).replace("T", " ")} UTC`,
    `look at it: \`bake-ami ssh ${instanceId}\``,
    `go on: \`bake-ami ${services} --resume\``,
    "end it: `bake-ami cleanup`",
  ].join("; ");
  const details = error instanceof BakeError ? error.details : [];
  const kind = error instanceof BakeError ? error.kind : "failed";
  return new BakeError(kind, messageOf(error), { hint, details, cause: error });
}
