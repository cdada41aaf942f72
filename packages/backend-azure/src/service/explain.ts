// What the service's words mean for a person: one sentence and what to do. Pure.

import type { BackendFailure } from "@flow/core";
import { isTransient, ServiceError } from "./service-error.ts";

const LOW_QUOTA =
  "The account's quota of low-priority cores is used up, or the region has none: ask for more in the portal, lower `nodes`, or take `priority: dedicated`.";

/** By code, without case. The service's own sentence comes before it. */
const ADVICE: Readonly<Record<string, string>> = {
  AccountCoreQuotaReached:
    "The account's quota of cores is used up: ask for more in the portal, or lower `nodes`.",
  AccountLowPriorityCoreQuotaReached: LOW_QUOTA,
  AccountSpotCoreQuotaReached: LOW_QUOTA,
  AccountVMSeriesCoreQuotaReached:
    "The account's quota of cores for machines of this kind is used up: ask for more in the portal, or take another `vm_size`.",
  ActiveJobAndScheduleQuotaReached:
    "The account has as many active jobs as it may: run `flow azure gc`, or ask for a higher quota.",
  AllocationFailed:
    "Azure has no such machines there just now: try another `vm_size` or region, or wait.",
  AllocationTimedout:
    "Azure did not give the machines in time: try another `vm_size` or region, or wait.",
  AuthenticationFailed: "Check the key in the environment, and that this machine's clock is right.",
  AuthorizationFailure:
    "Check the key in the environment, or the rights of the identity, and the account's network rules.",
  AuthorizationPermissionMismatch:
    "The identity lacks rights on the storage account: it needs `Storage Blob Data Contributor`.",
  BlobAccessDenied:
    "The node may not read a file: its link has expired or the storage account refuses it.",
  BlobDownloadMiscError:
    "The node could not download a file: check the storage account's network rules.",
  BlobNotFound:
    "A file the task needs was removed from storage; flow sends it again with the next attempt.",
  CommandLaunchFailed: "The node could not start the command.",
  CommandProgramNotFound:
    "The image has no `/bin/sh`; flow needs a shell, tar and gzip on the node.",
  ContainerImageNotFound: "The container image cannot be found: check its name and `registries`.",
  ContainerImagePullFailed:
    "The container image cannot be pulled: check its name and `registries`.",
  ContainerInvalidImage: "The container image cannot be used.",
  ContainerPoolNotSupported:
    "Tasks with `container` need a pool with containers: name another pool, or let flow make one.",
  ContainerBeingDeleted: "Azure is still removing it; flow asks again.",
  ContainerNotFound: "The container with flow's archives was removed: run flow again.",
  DiskFull: "The node's disk is full: take a larger `vm_size`, or put data on a mount.",
  FileUploadMiscError:
    "The node could not upload the results: check the storage account's network rules.",
  FileUploadContainerNotFound: "The container for results is gone: run flow again.",
  InvalidPropertyValue: "A value of the options is refused: see the sentence before.",
  InvalidAutoScalingSettings: "The service refuses the autoscale formula.",
  JobCompleted: "The job had ended, probably after `max_time`: run flow again.",
  JobTerminating: "The job was ending, probably after `max_time`: run flow again.",
  NoToken: "",
  OutOfMemory: "The task ran out of memory: take a larger `vm_size`.",
  PoolNotFound: "There is no such pool: check `pool: {id}`, or let flow make one.",
  PoolQuotaReached:
    "The account has as many pools as it may: run `flow azure gc`, or ask for a higher quota.",
  ResourceNotFound: "Check `endpoint`.",
  RequestRateTooHigh: "The service was asked too often; flow asks again later.",
  StartTaskFailed: "The command under `start` failed on a node: see `flow azure nodes`.",
  TaskEnded: "The service ended the task.",
  TaskTimedOut:
    "The task ran longer than the service allows: raise `max_time`, `max_node_hours` or the task's `timeout`.",
  UnsupportedVMSize: "The region does not have this `vm_size`.",
  VMSizeNotSupported: "The region does not have this `vm_size`.",
  Unreachable: "Check `endpoint` and the network.",
};

const byLowerCase: ReadonlyMap<string, string> = new Map(
  Object.entries(ADVICE).map(([code, advice]) => [code.toLowerCase(), advice]),
);

/** The service's sentence, its code, and what to do where that is known. */
export function explain(code: string, message: string): string {
  const said = message.trim().replace(/\.$/, "") || "it refused the request";
  const named = code === "" || said.includes(code) ? said : `${said} (${code})`;
  const advice = byLowerCase.get(code.toLowerCase()) ?? "";
  return advice === "" ? named : `${named}. ${advice}`;
}

/** An error of a request for a person; the request's name is for the service's support. */
export function explainError(error: unknown): string {
  if (!(error instanceof ServiceError)) return (error as Error).message;
  const text = explain(error.code, error.message);
  return error.requestId === undefined ? text : `${text} [request ${error.requestId}]`;
}

/** The account is not what the options say: no task can ever be accepted. */
const HOPELESS: ReadonlySet<string> = new Set([
  "authenticationfailed",
  "authorizationfailure",
  "authorizationpermissionmismatch",
  "poolnotfound",
  "notoken",
  "accountisdisabled",
  "invalidautoscalingsettings",
  "unsupportedvmsize",
  "vmsizenotsupported",
]);

/** Quotas that free themselves when other work ends, and a container that `flow clean` has just removed. */
const PASSING: ReadonlySet<string> = new Set([
  "activejobandschedulequotareached",
  "poolquotareached",
  "containerbeingdeleted",
  "operationinvalidforcurrentstate",
]);

export function failureOf(error: unknown): BackendFailure {
  if (!(error instanceof ServiceError)) {
    // An abort of ours; everything else is a bug and must not be hidden.
    if ((error as Error).name === "AbortError")
      return { type: "unavailable", message: "flow is stopping", retryAfterMs: undefined };
    throw error;
  }
  const message = explainError(error);
  const code = error.code.toLowerCase();
  if (isTransient(error) || PASSING.has(code))
    return { type: "unavailable", message, retryAfterMs: error.retryAfterMs };
  return { type: HOPELESS.has(code) ? "misconfigured" : "rejected", message };
}
