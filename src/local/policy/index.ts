/* The policy room's door. */
export { authorize, type AuthorizedCall } from "./authorize.ts";
export { parsePolicy, policyDocument, readPolicy, type PolicyDocument } from "./document.ts";
