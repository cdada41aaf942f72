// The public surface of the core.

// For authors of backends.
export type { AttemptPlace } from "./backend/attempt-handle.ts";
export { attemptHandle, parseAttemptHandle } from "./backend/attempt-handle.ts";
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
  Refuse,
} from "./backend/backend.ts";
export type { Capabilities } from "./backend/capabilities.ts";
export type {
  BackendContext,
  BackendPlugin,
  BackendPorts,
  CleanedUp,
  OptionIssue,
} from "./backend/plugin.ts";
export { BACKEND_API_VERSION, defineBackend } from "./backend/plugin.ts";
export { unreturnedMetrics } from "./backend/unreturned.ts";
// For hosts: programs that open projects and run them.
export type { Diagnostic, Related } from "./diagnostics/diagnostic.ts";
export { renderDiagnostics } from "./diagnostics/render.ts";
export type { Position, SourceFile } from "./diagnostics/source.ts";
// For hosts that look at projects.
export { positionOf } from "./diagnostics/source.ts";
// For hosts that show a run.
export { didYouMean } from "./diagnostics/suggest.ts";
// For hosts that show what is on record.
export type { Layout } from "./engine/layout.ts";
export { ATTEMPT_FILES, layout } from "./engine/layout.ts";
export type { Work } from "./engine/makespan.ts";
export { criticalPath, makespan } from "./engine/makespan.ts";
export { foldTraces } from "./engine/open-traces.ts";
export type { RunListener } from "./engine/recorder.ts";
export type { RunRequestLine } from "./engine/requests.ts";
export { askRun } from "./engine/requests.ts";
export type { Run, RunResult } from "./engine/run.ts";
export { makeState } from "./engine/run-directory.ts";
export type { RunCounts, RunEvent, RunEventBody, TaskRef } from "./engine/run-event.ts";
export { enclosingTasks } from "./engine/enclosing-tasks.ts";
export type { ConditionVerdict, EnclosingTask } from "./engine/services.ts";
export type { BackendChecks } from "./flowfile/backends.ts";
export { findFlowFile } from "./flowfile/find.ts";
export { memberId, slugOf } from "./flowfile/names.ts";
export type { GivenParam } from "./flowfile/overrides.ts";
export type { SearchResult, SearchTrial } from "./flowfile/sweep/search-log.ts";
export type { Adjacency } from "./graph/adjacency.ts";
export { neighbours } from "./graph/adjacency.ts";
export type { TaskGraph } from "./graph/build.ts";
export { compileGlob, isGlob } from "./graph/glob.ts";
export type { Plan, PlanOptions, PlanProject } from "./graph/plan.ts";
export { compilePlan } from "./graph/plan.ts";
export { guessDurations } from "./graph/rank.ts";
export type { Selection } from "./graph/select.ts";
export { select } from "./graph/select.ts";
export { evaluateCondition } from "./host/conditions.ts";
export { currentClaims } from "./host/current-claims.ts";
export type { ExecuteOptions, PreparedRun, ProjectState } from "./host/execute.ts";
export { openInspector, openState, prepareRun } from "./host/execute.ts";
export { leaveEvidence } from "./host/leave-evidence.ts";
export type {
  LoadFailure,
  OpenedGraph,
  OpenedPlan,
  PlanRequest,
  ProjectRequest,
} from "./host/open-plan.ts";
export { openGraph, openPlan, positionIn, requestText } from "./host/open-plan.ts";
export { overridePlan } from "./host/override-plan.ts";
export { standingIn } from "./host/plan-request.ts";
export type { RecordedTask } from "./host/rerun.ts";
export { linkInputs, planRerun } from "./host/rerun.ts";
export { newRunId } from "./host/run-id.ts";
export { planSingleTask, planTasks } from "./host/single-task.ts";
export { parseGpus } from "./host/surroundings.ts";
export { decodeJournal, readJournal } from "./journal/read-journal.ts";
export type { JournalRecord } from "./journal/record.ts";
export type { TaskDefinition } from "./library/define-task.ts";
export { defineTask } from "./library/define-task.ts";
export type { Flow, FlowOptions, RunOptions } from "./library/flow.ts";
// For programs that build their graph themselves.
export { FlowError, flow } from "./library/flow.ts";
export type { FunctionContext, TaskFunction } from "./library/function-backend.ts";
export type { AttemptKey, BackendName, Instant, RunId, TaskId, TaskKey } from "./model/ids.ts";
export { attemptKey, backendName, parseAttemptKey, runId, taskKey } from "./model/ids.ts";
export type {
  Exit,
  ExternalCause,
  MachineFacts,
  Outcome,
  RestartReason,
  StopReason,
  Usage,
} from "./model/outcome.ts";
export { exitWith, stopReason } from "./model/outcome.ts";
export type { BackendDeclaration, Project, Search } from "./model/project.ts";
export type { Limits, ResourceRequest } from "./model/resources.ts";
export type { Result } from "./model/result.ts";
export { err, ok } from "./model/result.ts";
export type { Action, Dep, Span, Target, Task, Text } from "./model/task.ts";
export { formatBytes, formatDuration, parseBytes, parseDuration } from "./model/units.ts";
export type { Clock } from "./ports/clock.ts";
export type { FileSystem } from "./ports/file-system.ts";
export type { Log } from "./ports/log.ts";
export { silentLog } from "./ports/log.ts";
export { nodeClock } from "./ports/node/clock.ts";
export { nodeFileSystem } from "./ports/node/file-system.ts";
export { followFile } from "./ports/node/follow-file.ts";
export { nodeLocks } from "./ports/node/locks.ts";
export { describeSystemError, whyUnreadable } from "./ports/system-error.ts";
export type {
  Accounting,
  AttemptRecord,
  AttemptResult,
  CodeState,
  EndedCode,
  StoredAttempt,
} from "./record/attempt-record.ts";
export {
  attemptSerials,
  lastAttempt,
  readAttempt,
  withCodeOfRun,
} from "./record/attempt-record.ts";
export type { FoundFile, MadeFile, MadeFiles } from "./record/made-files.ts";
export { listFiles, ownDirectories, readMade, recordMade } from "./record/made-files.ts";
export { markForgotten } from "./record/recorded-success.ts";
// For hosts that ask records.
export {
  asNumber,
  compareValues,
  FieldNames,
  fieldOf,
  recordId,
  timeText,
} from "./record/record-fields.ts";
export { readRecords, readTags } from "./record/record-index.ts";
export type { FieldOrder, QueryProblem } from "./record/record-query.ts";
export {
  bestRecords,
  groupRecords,
  readBest,
  readFields,
  readOrder,
  recordFilter,
  sortRecords,
  varyingParams,
} from "./record/record-query.ts";
export type { RunRecord } from "./record/run-record.ts";
export { joinAttempts } from "./record/run-record.ts";
export type { MetricPoint } from "./record/series.ts";
export { readSeries, valuesOf } from "./record/series.ts";
export type { CaptureRequest, CodeTree } from "./snapshot/capture.ts";
export { captureTree, hasCode, productsOf } from "./snapshot/capture.ts";
export { collectCode } from "./snapshot/collect.ts";
export type { GitFacts } from "./snapshot/git.ts";
export type { CodeLimits } from "./snapshot/limits.ts";
export type { CodeChange, CodeEntry, Manifest, TreeId } from "./snapshot/manifest.ts";
export { diffManifests } from "./snapshot/manifest.ts";
export type { MaterialiseRequest } from "./snapshot/materialise.ts";
export { checkOut, materialise } from "./snapshot/materialise.ts";
export { SnapshotError } from "./snapshot/snapshot-error.ts";
export type { ObjectStore } from "./snapshot/store.ts";
export { readObject, readTree } from "./snapshot/store.ts";
export type { TarEntry } from "./snapshot/tar.ts";
export { TAR_END, tarHeaders, tarOf, tarPadding } from "./snapshot/tar.ts";
export { cacheName } from "./trace/cache-name.ts";
export { formatDocument, parseDocument } from "./trace/documents.ts";
export { checkEvidence } from "./trace/evidence.ts";
export { describeParams, describeReason } from "./trace/explain.ts";
export type { Prospect } from "./trace/forecast.ts";
export { forecast } from "./trace/forecast.ts";
export type { Inspector } from "./trace/inspect.ts";
export type { Reason, TargetState, Trace } from "./trace/trace.ts";
