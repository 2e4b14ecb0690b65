import type { z } from "zod";
import type { Caller } from "../identity/caller.ts";
import { ApiError } from "../protocol/errors.ts";
import { parseParameters, type QueryNode } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import type { Supervisor } from "../engine/supervisor.ts";
import type { State } from "../state/schema.ts";

/** What an action's handler works with; one per request. */
export interface Context {
  readonly caller: Caller;
  /** The Region that the client meant; names zones, hosts and ARNs, and otherwise changes nothing. */
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly machines: Supervisor;
  /** The state, brought in line with the machines as they are now. */
  read(): Promise<State>;
  /** Changes that state, as `Store.change` does; a dry run ends here, with everything checked and nothing done. */
  change<T>(work: (draft: State) => T | Promise<T>): Promise<T>;
}

export interface Action {
  readonly name: string;
  /** What it takes. */
  readonly parameters: z.ZodType;
  /** @throws ApiError */
  run(query: Readonly<Record<string, QueryNode>>, context: Context): Promise<XmlObject>;
}

/**
 * One action of the API: the table of the parameters that it takes, and what it does with them.
 * @param handle gets the request as it came, too
 */
export function action<S extends z.ZodType>(
  name: string,
  parameters: S,
  handle: (
    context: Context,
    parameters: z.output<S>,
    query: Readonly<Record<string, QueryNode>>,
  ) => Promise<XmlObject>,
): Action {
  return {
    name,
    parameters,
    run: async (query, context) => await handle(context, parseParameters(parameters, query), query),
  };
}

/** What a dry run that would have gone well is answered with. */
export function dryRunSucceeded(): ApiError {
  return new ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
}
