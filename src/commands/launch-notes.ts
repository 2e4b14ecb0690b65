import { namesIn, tagKeys } from "../aws/tags.ts";
import type { Choice } from "../launch/choose-image.ts";
import { changedSince, type LocalServices } from "../launch/known-services.ts";
import type { Listener } from "../report/events.ts";

/** Tells what will start: the image, what is added to it, and what of it is no longer as the catalog here has it. */
export function tellChoice(choice: Choice, local: LocalServices | undefined, listener: Listener): void {
  const { image, late } = choice;
  const note = (message: string): void => {
    listener({ type: "note", at: Date.now(), message });
  };
  note(`image ${image.id} (${image.name})`);
  if (late.length > 0) note(`${late.join(", ")}: not in the image, so initialised on the first boot`);
  const changed = changedSince(choice, local);
  if (changed.length === 0) return;
  const baked = namesIn(image.tags, tagKeys.services).join(" ");
  const they = changed.length === 1 ? "it" : "them";
  listener({
    type: "warning",
    at: Date.now(),
    message: `${changed.join(", ")} changed here since ${image.id} was baked; its machines run ${they} as baked`,
    hint: `bake again: \`bake-ami ${baked}\`; or afterwards \`bake-ami apply ${changed.join(" ")} --machine latest\``,
  });
}
