import { recipeTag, type BaseImageName } from "../base-images.ts";
import { Store } from "../state/store.ts";
import { debianRecipe } from "./debian.ts";

/**
 * The base images of a local cloud that were made by another bake-ami than this one, with other programs in them. What
 * Amazon makes has nothing of ours and is never outdated in this sense.
 */
export async function outdatedBaseImages(directory: string): Promise<BaseImageName[]> {
  const { images } = await new Store(directory).read();
  const debian = images.filter(({ tags }) => tags["bake-ami:base"] === "debian-12");
  if (debian.length === 0) return [];
  const recipe = await debianRecipe();
  return debian.some(({ tags }) => tags[recipeTag] !== recipe) ? ["debian-12"] : [];
}
