import { deleteLaunchTemplate, type LaunchTemplate } from "../aws/launch-templates.ts";
import type { Creation } from "../aws/temporary.ts";
import { BakeError } from "../base/errors.ts";
import { pruneAccess } from "./template-access.ts";
import { instancesOf } from "./template-versions.ts";

/**
 * Deletes a launch template with all its versions, and the key pairs and groups that were made for it.
 * @throws BakeError `usage` while there are instances that were started from it: a group may want to start more.
 */
export async function deleteTemplate(
  { cloud, listener, signal }: Pick<Creation, "cloud" | "listener" | "signal">,
  template: LaunchTemplate,
): Promise<void> {
  const instances = await instancesOf(cloud, template.id, signal);
  if (instances.length > 0) {
    const ids = instances.map(({ id }) => id).join(", ");
    throw new BakeError("usage", `${template.name} is in use: ${ids} were started from it`, {
      hint: "end them first; those of an Auto Scaling group by setting its size to 0, or deleting it",
    });
  }
  await deleteLaunchTemplate(cloud, template.id, signal);
  listener({ type: "deleted", at: Date.now(), what: "launch template", id: template.id });
  await pruneAccess({ cloud, listener, signal }, template.name, []);
}
