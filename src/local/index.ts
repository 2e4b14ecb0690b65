/* The local cloud's door: what the commands use of it. */
export { openLocalCloud, type OpenOptions } from "./open.ts";
export { requestHandler } from "./sdk-handler.ts";
export type { LocalCloud, LocalRequest, LocalResponse, Interceptor } from "./cloud.ts";
