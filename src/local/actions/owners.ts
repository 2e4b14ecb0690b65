import { ApiError } from "../protocol/errors.ts";
import { accountId } from "../state/schema.ts";

/** Whether an image or a snapshot belongs to an owner as requests name them: an account, an alias, or `self`. */
export function ownedBy(
  it: { readonly ownerId: string; readonly ownerAlias?: string | undefined },
  owner: string,
): boolean {
  return it.ownerId === (owner === "self" ? accountId : owner) || it.ownerAlias === owner;
}

/** The error for changing what another account has. */
export function notYours(id: string): ApiError {
  return new ApiError("AuthFailure", `Not authorized for ${id}: it belongs to another account`, 403);
}
