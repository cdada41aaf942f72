// The script contract: which variables a task's program gets. Pure; the values that only the place
// of execution knows (granted devices, deadline, job id) are added by the backend.

import type { AttemptKey, RunId } from "../model/ids.ts";
import type { RestartReason } from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Task } from "../model/task.ts";

/** Raised when a variable changes its meaning. */
export const FLOW_PROTOCOL = "1";

/** Exit code by which a program asks to be run again (EX_TEMPFAIL). */
const REQUEUE_EXIT_CODE = 75;

/** What the contract is filled from. Paths are absolute. */
export interface ContractFacts {
  readonly run: RunId;
  readonly key: AttemptKey;
  readonly task: Task;
  /** 1, 2, … within the fingerprint's lineage. */
  readonly attempt: number;
  readonly reason: RestartReason;
  readonly root: string;
  readonly directory: string;
  readonly scratch: string;
  readonly output: string;
  /** Absolute directory per named output. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Absolute directory per mount, where mounts are directories. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Undefined when the task keeps none. */
  readonly checkpoint: CheckpointFacts | undefined;
  readonly events: string;
  readonly stopFile: string;
  /** Absent: the task has no parameters. */
  readonly paramsFile: string | undefined;
  /** Absent: the task has neither named deps nor used values. */
  readonly inputsFile: string | undefined;
  readonly stdout: string;
  /** Paths of all deps, expanded. */
  readonly deps: readonly string[];
  /** JSON text per used value. */
  readonly uses: Readonly<Record<string, string>>;
  readonly resources: ResourceRequest;
  readonly backend: string;
  readonly compat: readonly string[];
  readonly workspace: string | undefined;
  readonly experiment: string | undefined;
  readonly pythonPath: string | undefined;
}

interface CheckpointFacts {
  readonly directory: string;
  /** Last checkpoint reported complete by an earlier attempt; absent without one. */
  readonly path: string | undefined;
  readonly step: number | undefined;
  /** The directory holds something. */
  readonly resume: boolean;
}

type Variables = Record<string, string>;

/** A name as a variable's suffix: upper case, dots doubled to underscores, everything else one. */
const variableSuffix = (name: string): string =>
  name
    .replaceAll(".", "__")
    .replaceAll(/[^A-Za-z0-9_]/g, "_")
    .toUpperCase();

/** All variables of the contract for one attempt. */
export function contractVariables(facts: ContractFacts): Readonly<Record<string, string>> {
  const variables: Variables = {};
  if (facts.compat.includes("xt")) Object.assign(variables, xtAliases(facts));
  if (facts.compat.includes("batchai")) Object.assign(variables, batchAiAliases(facts));
  if (facts.compat.includes("wandb")) Object.assign(variables, wandbAliases(facts));
  if (facts.compat.includes("mlflow")) variables["MLFLOW_RUN_NAME"] = facts.task.id;
  if (facts.compat.includes("torchelastic")) Object.assign(variables, torchAliases(facts));
  if (facts.compat.includes("azbatch")) Object.assign(variables, azureBatchAliases(facts));
  if (facts.compat.includes("slurm")) Object.assign(variables, slurmAliases(facts));
  Object.assign(variables, identity(facts), places(facts), parameters(facts));
  Object.assign(variables, grants(facts.resources));
  dropUnfit(variables);
  return variables;
}

/** Bytes of name and value; Linux starts no program with a longer one. */
const LONGEST_VARIABLE = 128 * 1024 - 2;

/** Bytes that a character of a text can take at most. */
const MOST_BYTES = 3;

/** Removes those no program could be started with; most are in files of the contract as well. */
function dropUnfit(variables: Variables): void {
  for (const name in variables) {
    const value = variables[name] ?? "";
    if (name.length + value.length * MOST_BYTES <= LONGEST_VARIABLE) continue;
    if (name.length + Buffer.byteLength(value) > LONGEST_VARIABLE) delete variables[name];
  }
}

function identity(facts: ContractFacts): Variables {
  return {
    FLOW: "1",
    FLOW_PROTOCOL,
    FLOW_RUN_ID: facts.run,
    FLOW_TASK: facts.task.id,
    FLOW_TASK_ID: facts.task.key,
    FLOW_ATTEMPT_KEY: facts.key,
    FLOW_ATTEMPT: String(facts.attempt),
    FLOW_RESTART_COUNT: String(facts.attempt - 1),
    FLOW_RESTART_REASON: facts.reason,
    FLOW_EXIT_REQUEUE: String(REQUEUE_EXIT_CODE),
    FLOW_GRACE: String(Math.round(facts.task.stop.graceMs / 1000)),
    FLOW_BACKEND: facts.backend,
  };
}

function places(facts: ContractFacts): Variables {
  const variables: Variables = {
    FLOW_PROJECT_DIR: facts.root,
    FLOW_TASK_DIR: facts.directory,
    FLOW_TMP_DIR: facts.scratch,
    TMPDIR: facts.scratch,
    FLOW_OUTPUT_DIR: facts.output,
    FLOW_EVENTS: facts.events,
    FLOW_STOP_FILE: facts.stopFile,
  };
  for (const [name, path] of Object.entries(facts.mounts)) {
    variables[`FLOW_MOUNT_${variableSuffix(name)}`] = path;
  }
  if (facts.pythonPath !== undefined) variables["PYTHONPATH"] = facts.pythonPath;
  for (const [name, path] of Object.entries(facts.outputs)) {
    variables[`FLOW_OUTPUT_${variableSuffix(name)}`] = path;
  }
  const { checkpoint } = facts;
  if (checkpoint !== undefined) {
    variables["FLOW_CHECKPOINT_DIR"] = checkpoint.directory;
    variables["FLOW_RESUME"] = checkpoint.resume ? "1" : "0";
    if (checkpoint.path !== undefined) variables["FLOW_CHECKPOINT"] = checkpoint.path;
    if (checkpoint.step !== undefined) variables["FLOW_CHECKPOINT_STEP"] = String(checkpoint.step);
  }
  return variables;
}

function parameters(facts: ContractFacts): Variables {
  const variables: Variables = {};
  const { paramsFile, inputsFile, task, deps } = facts;
  if (paramsFile !== undefined) variables["FLOW_PARAMS_FILE"] = paramsFile;
  if (inputsFile !== undefined) variables["FLOW_INPUTS_FILE"] = inputsFile;
  if (task.targets.length > 0) {
    variables["FLOW_TARGETS"] = task.targets.map(({ path }) => path).join("\n");
  }
  if (deps.length > 0) variables["FLOW_DEPS"] = deps.join("\n");
  for (const [name, raw] of Object.entries(facts.task.params)) {
    variables[`FLOW_PARAM_${variableSuffix(name)}`] = raw;
  }
  for (const [axis, raw] of Object.entries(facts.task.axes)) {
    variables[`FLOW_PARAM_${variableSuffix(axis)}`] = raw;
  }
  for (const [name, json] of Object.entries(facts.uses)) {
    variables[`FLOW_USES_${variableSuffix(name)}`] = json;
  }
  const seed = facts.task.axes["seed"] ?? facts.task.params["seed"];
  if (seed !== undefined) variables["FLOW_SEED"] = seed;
  return variables;
}

/** Libraries that start one thread per core unless told how many they were given. */
const THREAD_COUNT_VARIABLES = [
  "OMP_NUM_THREADS",
  "MKL_NUM_THREADS",
  "OPENBLAS_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
  "VECLIB_MAXIMUM_THREADS",
];

function grants(resources: ResourceRequest): Variables {
  const variables: Variables = {};
  if (resources.cpusMilli !== undefined) {
    const cpus = String(Math.max(1, Math.ceil(resources.cpusMilli / 1000)));
    variables["FLOW_CPUS"] = cpus;
    for (const name of THREAD_COUNT_VARIABLES) variables[name] = cpus;
  }
  if (resources.memoryBytes !== undefined) {
    variables["FLOW_MEM_MB"] = String(Math.floor(resources.memoryBytes / 1024 ** 2));
  }
  if (resources.gpuMemoryBytes !== undefined) {
    variables["FLOW_GPU_MEM_MB"] = String(Math.floor(resources.gpuMemoryBytes / 1024 ** 2));
  }
  if (resources.nodes !== undefined) variables["FLOW_NODES"] = String(resources.nodes);
  return variables;
}

/** The variables Microsoft's ExperimentTools (XT) gave a run; never its credentials. */
function xtAliases(facts: ContractFacts): Variables {
  return {
    XT_OUTPUT_MNT: facts.output,
    XT_OUTPUT_DIR: facts.output,
    XT_RUN_NAME: facts.task.id,
    XT_WORKSPACE_NAME: facts.workspace ?? "",
    XT_EXPERIMENT_NAME: facts.experiment ?? "",
    XT_RESUME_NAME: facts.attempt > 1 ? facts.task.id : "",
    XT_NODE_ID: "node0",
    XT_JOB_ID: facts.run,
  };
}

/** The variables of Azure Batch AI jobs. */
function batchAiAliases(facts: ContractFacts): Variables {
  const variables: Variables = {
    AZ_BATCHAI_JOB_MOUNT_ROOT: facts.root,
    AZ_BATCHAI_STDOUTERR_DIR: facts.directory,
    AZ_BATCHAI_TASK_INDEX: "0",
  };
  for (const [name, path] of Object.entries(facts.outputs)) {
    variables[`AZ_BATCHAI_OUTPUT_${variableSuffix(name)}`] = path;
  }
  return variables;
}

/** One Weights & Biases run over all attempts. */
function wandbAliases(facts: ContractFacts): Variables {
  return {
    WANDB_RUN_ID: facts.task.key,
    WANDB_NAME: facts.task.id,
    WANDB_RESUME: "allow",
    WANDB_DIR: facts.output,
  };
}

function torchAliases(facts: ContractFacts): Variables {
  return {
    TORCHELASTIC_RESTART_COUNT: String(facts.attempt - 1),
    TORCHELASTIC_RUN_ID: facts.task.key,
  };
}

function azureBatchAliases(facts: ContractFacts): Variables {
  return {
    AZ_BATCH_TASK_ID: facts.key,
    AZ_BATCH_JOB_ID: facts.run,
    AZ_BATCH_TASK_DIR: facts.directory,
    AZ_BATCH_TASK_WORKING_DIR: facts.root,
    AZ_BATCH_NODE_SHARED_DIR: facts.output,
  };
}

function slurmAliases(facts: ContractFacts): Variables {
  return {
    SLURM_JOB_NAME: facts.task.id,
    SLURM_RESTART_COUNT: String(facts.attempt - 1),
    SLURM_SUBMIT_DIR: facts.root,
  };
}
