import type { Argv } from "yargs";
import { withVolumeOptions } from "./volume-options.ts";

/** Adds the options that every verb has which starts machines from an image. */
export function withLaunchOptions<T>(parser: Argv<T>) {
  return withRequestOptions(
    withNetworkOptions(
      withVolumeOptions(withMachineOptions(withTypeOptions(withImageOptions(parser))), "Root volume:").option(
        "volume-init-rate",
        {
          group: "Root volume:",
          type: "number",
          describe: "MiB/s at which it is filled from its snapshot ahead of use, 100 to 300",
        },
      ),
    ),
  );
}

function withImageOptions<T>(parser: Argv<T>) {
  const group = "Image:";
  return parser
    .option("image", { group, type: "string", describe: "exactly this image: ami-..." })
    .option("with", {
      group,
      type: "string",
      array: true,
      default: [],
      describe: "services to add on the first boot",
    });
}

function withTypeOptions<T>(parser: Argv<T>) {
  const group = "Instance type:";
  return parser
    .option("type", {
      group,
      type: "string",
      describe: "this one (default: t3.small, or t4g.small on arm64)",
    })
    .option("cpu", { group, type: "string", describe: "one with so many vCPUs at least" })
    .option("memory", { group, type: "string", describe: "one with so much memory at least: 16GiB" })
    .option("arch", {
      group,
      choices: ["x86_64", "arm64"] as const,
      describe: "architecture (default: the image's)",
    })
    .option("gpu", { group, type: "boolean", default: false, describe: "one with a GPU" })
    .option("cheapest", {
      group,
      type: "boolean",
      default: false,
      describe: "take the smallest that fits, and do not ask",
    });
}

function withMachineOptions<T>(parser: Argv<T>) {
  const group = "Machines:";
  return parser
    .option("count", { group, type: "string", default: "1", describe: "how many" })
    .option("spot", {
      group,
      choices: ["one-time", "persistent"] as const,
      describe: "spot capacity: for one time, or again and again",
    })
    .option("interruption", {
      group,
      choices: ["terminate", "stop", "hibernate"] as const,
      describe: "what becomes of a spot machine that EC2 takes back",
    })
    .option("instance-profile", { group, type: "string", describe: "the machines' role: name or ARN" })
    .option("placement-group", { group, type: "string", describe: "placement group: name or pg-..." })
    .option("partition", { group, type: "string", describe: "partition of the placement group, from 1" })
    .option("tenancy", {
      group,
      choices: ["default", "dedicated", "host"] as const,
      describe: "hardware shared with others, of your own, or a dedicated host",
    })
    .option("host-id", { group, type: "string", describe: "this dedicated host: h-..." })
    .option("ebs-optimized", { group, type: "boolean", describe: "bandwidth of their own for volumes" })
    .option("protect", {
      group,
      type: "boolean",
      default: false,
      describe: "nobody can terminate them until `terminate --unprotect`",
    })
    .option("tag", {
      group,
      type: "string",
      array: true,
      default: [],
      describe: "key=value for everything that is created",
    });
}

function withNetworkOptions<T>(parser: Argv<T>) {
  const group = "Network and login:";
  const many = { group, type: "string", array: true, default: [] } as const;
  return parser
    .option("open", { ...many, describe: "ports to open besides 22: 80,443" })
    .option("allow-cidr", { ...many, describe: "who may reach the ports (default: you alone)" })
    .option("security-group", { ...many, describe: "existing groups in place of an own one: sg-..." })
    .option("subnet", { ...many, describe: "subnets, tried in turn (default: all that fit)" })
    .option("public-ip", {
      group,
      type: "boolean",
      describe: "a public address whatever the subnet says (--no-public-ip: none)",
    })
    .option("elastic-ip", { group, type: "string", describe: "new, eipalloc-... or an address of yours" })
    .option("key", { group, type: "string", describe: "EC2 key pair that may log in, too" })
    .option("identity", {
      group,
      type: "string",
      describe: "private key to log in with (default: one made for you)",
    })
    .option("login", {
      group,
      type: "string",
      describe: "user that the image lets in, where it does not say",
    })
    .option("known-hosts", {
      group,
      type: "string",
      describe: "file to write the machines' host keys to, as ssh reads it",
    });
}

function withRequestOptions<T>(parser: Argv<T>) {
  const group = "What they are told:";
  return parser
    .option("set", {
      group,
      type: "string",
      array: true,
      default: [],
      describe: "value of a parameter: service.parameter=value, or =ssm:/path",
    })
    .option("user-data", {
      group,
      type: "string",
      describe: "file with user data of your own, for cloud-init",
    })
    .option("channel", { group, type: "string", describe: "channel whose bundles they fetch at boot" })
    .option("bundles", { group, type: "string", describe: "where the channels are: s3://bucket/prefix" })
    .option("log", { group, type: "string", describe: "where their logs go: s3://bucket/prefix" });
}
