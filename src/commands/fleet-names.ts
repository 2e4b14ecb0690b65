import { BakeError } from "../base/errors.ts";
import type { GlobalOptions } from "./context.ts";

/** EC2's rule. (API reference, "CreateLaunchTemplate": `LaunchTemplateName`) */
const templateName = /^[a-zA-Z0-9().\-/_]{3,128}$/;

/**
 * How the launch template is called: as was said, or by the services that it is for.
 * @throws BakeError `usage`
 */
export function templateNameOf(name: string | undefined, services: readonly string[]): string {
  const chosen = name ?? `bake-ami-${services.join("-")}`;
  if (name === undefined && services.length === 0) {
    throw new BakeError("usage", "say which launch template: its services, or --name");
  }
  if (name === undefined && services.some((service) => service.startsWith("ami-"))) {
    throw new BakeError("usage", "a launch template of an image needs a name", {
      hint: "give it with --name",
    });
  }
  if (templateName.test(chosen)) return chosen;
  throw new BakeError("usage", `${chosen} cannot be the name of a launch template`, {
    hint: "--name gives another: 3 to 128 letters, digits and ( ) . - / _",
  });
}

/** @throws BakeError `usage` with --local, for what the local cloud does not have. */
export function refuseLocal({ local }: GlobalOptions, what: string): void {
  if (!local) return;
  throw new BakeError("usage", `the local cloud has no ${what}`, {
    hint: "leave out --local; on this computer, machines are brought up to date by `bake-ami deploy` over SSH",
  });
}
