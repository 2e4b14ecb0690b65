import type { Argv } from "yargs";
import { withSetOption } from "./on-machine.ts";
import { withVolumeOptions } from "./volume-options.ts";

/** Adds the options of a bake: where to start from, on what, how to reach it, and what to do when it fails. */
export function withBakeOptions<T>(parser: Argv<T>) {
  const withSource = withSetOption(withSourceOptions(parser));
  const withBuilder = withVolumeOptions(withBuilderOptions(withSource), "Options:");
  return withFailureOptions(withResultOptions(withBuilder));
}

function withSourceOptions<T>(parser: Argv<T>) {
  return parser
    .option("source-ami", {
      type: "string",
      describe: "image to start from: ami-... or resolve:ssm:NAME (default: newest Amazon Linux 2023)",
    })
    .option("source-name", {
      type: "string",
      describe: "start from the newest image of this name (* and ?); needs --source-owner",
    })
    .option("source-owner", { type: "string", describe: "account id or alias that the image must belong to" })
    .option("minimal", { type: "boolean", default: false, describe: "start from minimal Amazon Linux 2023" })
    .option("allow-deprecated", {
      type: "boolean",
      default: false,
      describe: "start from an image that its owner has deprecated",
    })
    .option("login", { type: "string", describe: "user that the source image lets in" });
}

function withBuilderOptions<T>(parser: Argv<T>) {
  return parser
    .option("type", {
      type: "string",
      array: true,
      default: [],
      describe: "instance types of the builder, tried in turn",
    })
    .option("spot", { type: "boolean", default: false, describe: "spot capacity, else on-demand" })
    .option("vpc", { type: "string", describe: "VPC of the builder (default: the default VPC)" })
    .option("subnet", {
      type: "string",
      array: true,
      default: [],
      describe: "subnets of the builder, tried in turn (default: all that fit)",
    })
    .option("allow-cidr", {
      type: "string",
      array: true,
      default: [],
      describe: "who may reach the builder's SSH port (default: you alone)",
    })
    .option("ssh-interface", {
      choices: ["public-ip", "private-ip", "ipv6", "public-dns"] as const,
      default: "public-ip" as const,
      describe: "address by which the builder is reached",
    })
    .option("ssh-proxy-command", {
      type: "string",
      describe: "reach the builder through this; %h %p %r %i",
    })
    .option("instance-profile", { type: "string", describe: "instance profile of the builder" })
    .option("tag", {
      type: "string",
      array: true,
      default: [],
      describe: "key=value for everything that is created",
    });
}

function withResultOptions<T>(parser: Argv<T>) {
  return parser
    .option("log", { type: "string", describe: "put the bake's log below s3://bucket/prefix/" })
    .option("signer", {
      type: "string",
      array: true,
      default: [],
      describe:
        "public key, or file of it, that may sign bundles for the image's machines (default: your own; --no-signer: nobody)",
    });
}

function withFailureOptions<T>(parser: Argv<T>) {
  return parser
    .option("max-bake-time", {
      type: "string",
      default: "2h",
      describe: "after this the bake gives up and the builder ends itself",
    })
    .option("on-error", {
      choices: ["cleanup", "keep", "ask"] as const,
      default: "cleanup" as const,
      describe: "what becomes of the builder when the bake fails",
    })
    .option("resume", {
      type: "boolean",
      default: false,
      describe: "go on with the builder that a failed bake of these services left",
    })
    .option("pause-after", {
      type: "string",
      describe: "wait for Enter after the init of this service",
    })
    .option("join", {
      type: "boolean",
      default: true,
      describe: "wait for an unfinished bake of the same content (--no-join: start another)",
    });
}
