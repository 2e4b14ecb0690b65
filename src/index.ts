/** The library's door: the same verbs as the command line, typed. Nothing here prints; listeners get events. */
export { BakeError, type BakeErrorOptions, type ErrorKind } from "./base/errors.ts";
export { newRunId, Secret } from "./base/ids.ts";
export type { Event, Listener, ServiceResult, Stage } from "./report/events.ts";
export { Cloud, type CloudOptions } from "./aws/cloud.ts";
export type { Image } from "./aws/images.ts";
export type { Instance, InstanceState } from "./aws/instances.ts";
export type { OpenPort } from "./aws/access.ts";
export * from "./catalog/index.ts";
export * from "./plan/index.ts";
export * from "./bundle/index.ts";
export { bake, type BakeOptions, type BakeResult } from "./bake/bake.ts";
export type { SourceQuery } from "./bake/source.ts";
export { launch, type InstanceSettings, type LaunchOptions } from "./launch/launch.ts";
export type { ElasticIp } from "./launch/elastic-ip.ts";
export { parameterLines, type GivenParameters } from "./launch/parameters.ts";
export type { LogName, RequestLine } from "./launch/request-lines.ts";
export { findTypes, type TypeNeeds } from "./launch/types.ts";
export type { TypeInfo } from "./aws/type-list.ts";
export {
  launchMachine,
  MachineHandle,
  type MachineOptions,
  type RunOptions,
  type RunResult,
} from "./launch/handle.ts";
export type { Launched } from "./launch/wait.ts";
export { findImage, type Choice } from "./launch/choose-image.ts";
export { applyToMachine, verifyMachine, type ApplyOptions, type VerifyOptions } from "./launch/apply.ts";
export { ownMachines, terminateMachines } from "./launch/machines.ts";
export { withOutcomes, type MachineStatus } from "./launch/machines-status.ts";
export type { ChannelOutcome, JobOutcome, LogOutcome, UpdateOutcome } from "./launch/outcome.ts";
export { breakdownOf, type BootBreakdown, type BootTimes, type ServiceTime } from "./launch/times.ts";
export { copyFiles, type CopyCounts, type CopyOptions } from "./machine/files/copy.ts";
export { runJob, startJob } from "./jobs/run-job.ts";
export { attachJob, type AttachOptions } from "./jobs/attach-job.ts";
export type {
  FollowedJobOptions,
  JobLaunch,
  JobOptions,
  JobResult,
  LogResult,
  StartedJob,
} from "./jobs/options.ts";
export { planUploads, type Upload, type UploadPlan } from "./jobs/uploads.ts";
export { EventSink, FileSink, StreamSink, Tee, type Sink } from "./jobs/sink.ts";
export { waitForHostKeys } from "./launch/wait-host-keys.ts";
export { cleanup, type CleanupOptions, type Removal } from "./cleanup/cleanup.ts";
export { Machine, type ConnectOptions } from "./machine/machine.ts";
export type { SshTarget } from "./machine/target.ts";
export {
  checkBucket,
  getObject,
  listObjects,
  presign,
  putObject,
  readS3Url,
  type Presigned,
  type S3Object,
  type S3Place,
} from "./aws/s3.ts";
export { channelLines } from "./fleet/channel-lines.ts";
export { findChannel, listChannels, type Channel } from "./fleet/channel.ts";
export { push, type Pushed, type PushOptions } from "./fleet/push.ts";
export { openSigner, readSignerKey, type Signer } from "./fleet/sign.ts";
export { makeTemplate, type TemplateOptions, type TemplateResult, type Trial } from "./fleet/template.ts";
export { deleteTemplate } from "./fleet/template-delete.ts";
export { existingTemplate, switchDefault } from "./fleet/template-versions.ts";
export type { LaunchTemplate } from "./aws/launch-templates.ts";
export { rollout, type RolloutOptions } from "./fleet/rollout.ts";
export { intervene, refreshError, type Intervention, type RefreshEnd } from "./fleet/rollout-follow.ts";
export { deploy, deployError, type Deployed, type DeployOptions } from "./fleet/deploy.ts";
export { selectMachines, type Selected, type Selection } from "./fleet/deploy-machines.ts";
export { deployByCommand, commandError, type CommandDeployed } from "./fleet/deploy-ssm.ts";
export { deployByMessage, type DeploymentMessage, type Published } from "./fleet/deploy-sns.ts";
export { logLines } from "./launch/log-lines.ts";
export type { TrustedKey } from "./bake/options.ts";
