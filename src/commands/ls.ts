import type { Verb } from "./context.ts";

export const lsVerb: Verb = (parser, context) =>
  parser.command(
    "ls",
    "list your images and machines, with the outcome of their updates",
    (y) => y,
    async (argv) => {
      const [{ runSession }, { openEndpoint }, { ownImages }, { ownMachines }, { withOutcomes }] =
        await Promise.all([
          import("./session.ts"),
          import("./endpoint.ts"),
          import("../launch/choose-image.ts"),
          import("../launch/machines.ts"),
          import("../launch/machines-status.ts"),
        ]);
      const [{ HostKeys }, { imageTable, imageValue, machineTable }, { machineValue }] = await Promise.all([
        import("./host-keys.ts"),
        import("./ls-tables.ts"),
        import("./machine-lines.ts"),
      ]);
      await runSession(argv, context, async ({ listener, signal }) => {
        const { cloud, ownerOf } = await openEndpoint(argv, context, listener, "look");
        const owner = await ownerOf(signal);
        const [images, instances] = await Promise.all([
          ownImages(cloud, owner, signal),
          ownMachines(cloud, owner, signal),
        ]);
        const keys = await HostKeys.open(cloud, owner, context.environment);
        await keys.forgetOthers(instances.map(({ id }) => id));
        const machines = await withOutcomes(cloud, instances, signal);
        const now = cloud.clock.now();
        return {
          text: `${imageTable(images)}\n\n${machineTable(machines, now)}`,
          value: {
            images: images.map(imageValue),
            machines: machines.map(({ instance, outcome, job }) => ({
              ...machineValue(instance, outcome, now),
              ...(job === undefined ? {} : { job }),
            })),
          },
        };
      });
    },
  );
