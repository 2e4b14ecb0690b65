import { inspect } from "node:util";
import { BakeError } from "../../src/base/errors.ts";

/** An API action as messages name it. */
const action =
  /\b(?:Authorize|Create|Delete|Deregister|Describe|Get|Import|Modify|Run|Stop|Terminate)[A-Z]\w+/;

/** What else a message may tell: what was waited for, or what became of it. */
const events = [
  /^gave up after \d+ s of waiting for \S+/,
  /^instance i-\w+ is (?:shutting-down|terminated|stopped)/,
  /^image ami-\w+ is failed: \S+/,
  /^EC2 has no capacity for the builder$/,
  /^there is no image ami-\w+ here$/,
  /^this Region has no default VPC$/,
  /^VPC vpc-\w+ has no subnet that fits$/,
];

/** What only a programmer could make sense of. */
const gibberish = /undefined|\bnull\b|NaN|\[object|TypeError|RangeError|ReferenceError|\bat \S+:\d+:\d+/;

/** Why a person could not tell from this failure what happened; undefined when all is clear. */
export function whyUnclear(error: unknown): string | undefined {
  if (!(error instanceof BakeError)) return `not a BakeError: ${inspect(error)}`;
  const text = [error.message, error.hint ?? "", ...error.details].join("\n");
  if (gibberish.test(text)) return `gibberish: ${text}`;
  if (action.test(error.message) || events.some((event) => event.test(error.message))) return undefined;
  return `it names neither an action nor what was waited for: ${error.message}`;
}
