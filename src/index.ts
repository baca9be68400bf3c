/** What a configuration file imports. */
export {
  builder,
  defineMaster,
  git,
  hostLock,
  host,
  mail,
  masterLock,
  project,
  webhook,
  worker,
  workerLock,
} from './config/define.ts';
export {
  after,
  anyBranch,
  force,
  nightly,
  onChange,
  periodic,
  triggerable,
  tryBuilds,
} from './config/define-schedulers.ts';
export { matrix } from './config/matrix.ts';
export { bool, choice, fixed, int, text } from './config/parameters/values.ts';
export { secret, secretCommand, secretEnv, secretFile } from './config/secrets/define.ts';
export { artifact, fetchArtifact } from './config/steps/artifacts.ts';
export { assert } from './config/steps/assert.ts';
export { checkout } from './config/steps/checkout.ts';
export { copy, exists, mkdir, remove, rename } from './config/steps/files.ts';
export { compile } from './config/steps/compile.ts';
export { countLines, matchLines } from './config/steps/observe.ts';
export { http } from './config/steps/http.ts';
export { reboot } from './config/steps/reboot.ts';
export {
  setProperties,
  setPropertiesFromEnv,
  setProperty,
  setPropertyFromCommand,
} from './config/steps/set-property.ts';
export { sh } from './config/steps/sh.ts';
export { show } from './config/steps/show.ts';
export { step } from './config/steps/step.ts';
export { junit, tap } from './config/steps/tests.ts';
export { resolve } from './config/steps/wanted.ts';
export type { ChangeFacts, ChangeFunction, Pattern } from './config/change-filter.ts';
export {
  download,
  downloadJson,
  downloadProperties,
  downloadText,
  upload,
  uploadFiles,
} from './config/steps/transfers.ts';
export { withSecretFiles } from './config/steps/with-secret-files.ts';
export { trigger } from './config/steps/trigger.ts';
export type { CheckoutOptions } from './config/steps/checkout-options.ts';
export type { SecretConfig } from './config/secrets/define.ts';
export type { HttpStepOptions } from './config/steps/http.ts';
export type { Assertion } from './config/steps/assert.ts';
export type { MatrixOptions } from './config/matrix.ts';
export type { StepOptions } from './config/steps/step.ts';
export type { CompileOptions } from './config/steps/compile.ts';
export type { CountOptions, Found, LineObserver } from './config/steps/observe.ts';
export type { ShOptions } from './config/steps/sh.ts';
export type { Suppression, Warning } from './config/steps/suppressions.ts';
export type { WarningFunction } from './config/steps/warning-reader.ts';
export type { TapSource, TestsOptions } from './config/steps/tests.ts';
export type { ExistsOptions } from './config/steps/files.ts';
export type { DownloadOptions, UploadFilesOptions } from './config/steps/transfers.ts';
export type { ArtifactOptions } from './config/steps/artifacts.ts';
export type {
  FetchedArtifact,
  FetchOptions,
  FileStat,
  GlobOptions,
  KeepOptions,
  KeptArtifact,
  UploadOptions,
} from './config/step-files.ts';
export type { TriggerStepOptions } from './config/steps/trigger.ts';
export type { CommandOptions, Wanted, WantedCommand } from './config/steps/wanted.ts';
export type { ParameterConfig } from './config/parameters/values.ts';
export type {
  BuildIf,
  CanStartBuild,
  CheckContext,
  FreeWorker,
  NextBuild,
  NextWorker,
} from './config/chooser-context.ts';
export type { RequestFacts, WorkerFacts } from './config/function-facts.ts';
export type { BuildFacts } from './config/code-host.ts';
export type {
  Duration,
  HttpOptions,
  HttpResult,
  RebootOptions,
  RunOptions,
  RunResult,
  Size,
  StepContext,
  StepFunction,
  StepOutcome,
  TestSource,
  TestsResult,
  TriggerOptions,
  TriggerResult,
} from './config/step-context.ts';
export type { Json, JsonObject } from './model/json.ts';
export type { SecretRef } from './model/secret.ts';
export type { Result } from './model/result.ts';
