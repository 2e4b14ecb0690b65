import type { Verb } from "./context.ts";
import { table } from "./table.ts";

export const lsVerb: Verb = (parser, context) =>
  parser.command(
    "ls",
    "list your images and machines, with the outcome of their updates",
    (y) => y,
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { ownImages }, { ownMachines, withOutcomes }, lines, tags] =
        await Promise.all([
          import("./session.ts"),
          import("./endpoint.ts"),
          import("../launch/choose-image.ts"),
          import("../launch/machines.ts"),
          import("./machine-lines.ts"),
          import("../aws/tags.ts"),
        ]);
      const { HostKeys } = await import("./host-keys.ts");
      await runSession(argv, context, async ({ signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context);
        const owner = await ownerOf(signal);
        const [images, instances] = await Promise.all([
          ownImages(cloud, owner, signal),
          ownMachines(cloud, owner, signal),
        ]);
        const keys = await HostKeys.open(cloud, owner, context.environment);
        await keys.forgetOthers(instances.map(({ id }) => id));
        const machines = await withOutcomes(cloud, instances, signal);
        const rows = [
          ["IMAGE", "STATE", "CREATED", "SERVICES"],
          ...images.map(({ id, state, createdAt, tags: t }) => [
            id,
            t.has(tags.tagKeys.expires) ? `${state} (unfinished)` : state,
            createdAt.toISOString().slice(0, 16).replace("T", " "),
            tags.namesIn(t, tags.tagKeys.services).join(" "),
          ]),
        ];
        const machineRows = [
          ["MACHINE", "STATE", "TYPE", "ADDRESS", "IMAGE", "UPDATE", "SERVICES"],
          ...machines.map(({ instance, outcome }) => [
            instance.id,
            instance.tags.get(tags.tagKeys.role) === "builder"
              ? `${instance.state} (builder)`
              : instance.state,
            instance.type,
            instance.publicAddress ?? "-",
            instance.imageId,
            lines.outcomeText(outcome),
            [
              ...tags.namesIn(instance.tags, tags.tagKeys.services),
              ...tags.namesIn(instance.tags, tags.tagKeys.with).map((name) => `+${name}`),
            ].join(" "),
          ]),
        ];
        return {
          text: `${table(rows)}\n\n${table(machineRows)}`,
          value: {
            images: images.map((image) => ({
              id: image.id,
              name: image.name,
              state: image.state,
              createdAt: image.createdAt,
              services: tags.namesIn(image.tags, tags.tagKeys.services),
              base: image.tags.get(tags.tagKeys.base),
            })),
            machines: machines.map(({ instance, outcome }) => lines.machineValue(instance, outcome)),
          },
        };
      });
    },
  );
