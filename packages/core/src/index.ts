// The public surface of the core.

// For hosts that show a run.
export { didYouMean } from "./diagnostics/suggest.ts";
export type { RunCounts, RunEvent, RunEventBody, TaskRef } from "./engine/run-event.ts";
export { runId } from "./model/ids.ts";
export type { RunId } from "./model/ids.ts";
export type { Outcome, RestartReason, StopReason } from "./model/outcome.ts";
export { formatBytes, formatDuration } from "./model/units.ts";

// For authors of backends.
export type {
  Backend,
  BackendFailure,
  CollectedFile,
  Handle,
  Job,
  JobAction,
  JobPaths,
  Json,
  Observation,
  ReattachRequest,
} from "./backend/backend.ts";
export type { Capabilities } from "./backend/capabilities.ts";
export { defineBackend } from "./backend/plugin.ts";
export type {
  BackendContext,
  BackendPlugin,
  BackendPorts,
  OptionIssue,
} from "./backend/plugin.ts";
export { attemptKey, backendName, parseAttemptKey, taskKey } from "./model/ids.ts";
export type { AttemptKey, BackendName, Instant, TaskId, TaskKey } from "./model/ids.ts";
export type { Exit, ExternalCause, Usage } from "./model/outcome.ts";
export type { Limits, ResourceRequest } from "./model/resources.ts";
export { err, ok } from "./model/result.ts";
export type { Result } from "./model/result.ts";
export { parseBytes, parseDuration } from "./model/units.ts";
export type { Clock } from "./ports/clock.ts";
export { silentLog } from "./ports/log.ts";
export type { Log } from "./ports/log.ts";
export { nodeClock } from "./ports/node/clock.ts";
