/** The room's door: a plan over the whole catalog becomes the archive that goes to a machine. */
export type { Bundle } from "./bundle.ts";
export { makeBundle } from "./make-bundle.ts";
