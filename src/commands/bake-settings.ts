import type { RootVolume } from "../aws/instances.ts";
import { readS3Url, type S3Place } from "../aws/s3-url.ts";
import { BakeError } from "../base/errors.ts";
import type { SourceQuery } from "../bake/source.ts";
import { checkExtraTags } from "../bake/extra-tags.ts";
import { commaList, readCidrs, readDuration } from "./options.ts";
import { readRootVolume, type VolumeArguments } from "./volume-options.ts";

/** The options of a bake as the parser gives them. */
export interface BakeArguments extends VolumeArguments {
  readonly sourceAmi: string | undefined;
  readonly sourceName: string | undefined;
  readonly sourceOwner: string | undefined;
  readonly minimal: boolean;
  readonly allowDeprecated: boolean;
  readonly login: string | undefined;
  readonly type: readonly string[];
  readonly spot: boolean;
  readonly vpc: string | undefined;
  readonly subnet: readonly string[];
  readonly allowCidr: readonly string[];
  readonly sshInterface: "public-ip" | "private-ip" | "ipv6" | "public-dns";
  readonly sshProxyCommand: string | undefined;
  readonly instanceProfile: string | undefined;
  readonly log: string | undefined;
  /** `false` in it stands for `--no-signer`. */
  readonly signer: readonly unknown[];
  readonly tag: readonly string[];
  readonly maxBakeTime: string;
  readonly onError: "cleanup" | "keep" | "ask";
  readonly resume: boolean;
  readonly pauseAfter: string | undefined;
  readonly join: boolean;
}

/** What the options mean, as far as it can be said before any cloud is asked. */
export interface BakeSettings {
  /** Undefined for the cloud's default. */
  readonly source: SourceQuery | undefined;
  readonly types: readonly string[];
  readonly subnets: readonly string[];
  readonly allowCidrs: readonly string[];
  readonly rootVolume: Omit<RootVolume, "deviceName"> | undefined;
  readonly extraTags: ReadonlyMap<string, string>;
  /** Where logs go. */
  readonly log: S3Place | undefined;
  readonly maxBakeSeconds: number;
}

/**
 * Reads the options of a bake.
 * @throws BakeError `usage` for what is malformed or does not go together.
 */
export function readBakeSettings(argv: BakeArguments): BakeSettings {
  return {
    source: readSource(argv),
    types: commaList(argv.type),
    subnets: commaList(argv.subnet),
    allowCidrs: readCidrs(argv.allowCidr),
    rootVolume: readRootVolume(argv),
    extraTags: readTags(argv.tag),
    log: argv.log === undefined ? undefined : readS3Url(argv.log, "--log"),
    maxBakeSeconds: readDuration(argv.maxBakeTime, "--max-bake-time"),
  };
}

function readSource(argv: BakeArguments): SourceQuery | undefined {
  const { sourceAmi, sourceName, sourceOwner, minimal } = argv;
  const given = [
    ...(sourceAmi === undefined ? [] : ["--source-ami"]),
    ...(sourceName === undefined ? [] : ["--source-name"]),
    ...(minimal ? ["--minimal"] : []),
  ];
  if (given.length > 1) throw new BakeError("usage", `${given.join(" and ")} exclude each other`);
  if (sourceOwner !== undefined && sourceName === undefined) {
    throw new BakeError("usage", "--source-owner goes with --source-name");
  }
  if (sourceAmi !== undefined) return readSourceAmi(sourceAmi);
  if (sourceName === undefined) return undefined;
  if (sourceOwner === undefined) {
    throw new BakeError(
      "usage",
      "--source-name needs --source-owner: anybody may publish an image of that name",
      {
        hint: "for example --source-owner amazon, --source-owner self or an account id",
      },
    );
  }
  return {
    kind: "newest",
    owner: sourceOwner,
    name: sourceName,
    architecture: undefined,
    login: undefined,
    hint: "check the name, the owner and the Region; * and ? match anything",
  };
}

function readSourceAmi(text: string): SourceQuery {
  const parameter = /^resolve:ssm:(\S+)$/.exec(text)?.[1];
  if (parameter !== undefined) return { kind: "parameter", name: parameter };
  if (/^ami-[0-9a-f]+$/.test(text)) return { kind: "id", id: text };
  throw new BakeError("usage", `--source-ami ${text} is no image`, {
    hint: "give an id such as ami-0123456789abcdef0, or resolve:ssm:/a/parameter",
  });
}

/**
 * Tags from repeated `--tag key=value`.
 * @throws BakeError `usage`
 */
export function readTags(settings: readonly string[]): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const setting of settings) {
    const at = setting.indexOf("=");
    if (at < 1) {
      throw new BakeError("usage", `--tag ${setting} is not of the form key=value`, {
        hint: "for example --tag team=web",
      });
    }
    tags.set(setting.slice(0, at), setting.slice(at + 1));
  }
  checkExtraTags(tags);
  return tags;
}
