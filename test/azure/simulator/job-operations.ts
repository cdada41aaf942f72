/** The operations on jobs, tasks and their files. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import type { Account, Job, Task } from "./account.ts";
import { conflict, exists, invalidProperty, notFound, ServiceError } from "./errors.ts";
import { deleteFile, listFiles, readFile } from "./files.ts";
import {
  armDeadline,
  checkChangeable,
  createJob,
  deleteJob,
  disableJob,
  enableJob,
  terminateJob,
} from "./jobs.ts";
import { checkConditions, checkId, type Handler, jobOf, list, single, taskOf } from "./request.ts";
import { endTask } from "./tasks.ts";
import {
  countsWire,
  jobWire,
  preparationWire,
  subtaskWires,
  taskDirectory,
  taskUrl,
  taskWire,
  type Wire,
} from "./wire.ts";

export const jobOperations: Readonly<Record<string, Handler>> = {
  Job_Add(request) {
    const { account } = request;
    const spec = request.body as Models.JobAddParameter;
    checkId(spec.id);
    if (account.findJob(spec.id) !== undefined) throw exists("Job");
    const { poolId, autoPoolSpecification } = spec.poolInfo;
    if ((poolId === undefined) === (autoPoolSpecification === undefined))
      throw invalidProperty("poolInfo", "", "exactly one of poolId, autoPoolSpecification");
    if (spec.jobReleaseTask !== undefined && spec.jobPreparationTask === undefined)
      throw invalidProperty("jobReleaseTask", "", "it needs a job preparation task");
    const job = createJob(account, spec);
    return { stamped: job, location: `${account.url}/jobs/${job.id}` };
  },

  Job_List: (request) =>
    list(
      request,
      "jobs",
      [...request.account.jobs.values()].map((job) => jobWire(request.account, job)),
    ),

  Job_Get(request) {
    const job = jobOf(request);
    return { body: single(request, "jobs/@Element", jobWire(request.account, job)), stamped: job };
  },

  Job_Delete(request) {
    const job = jobOf(request);
    checkConditions(request, job);
    deleteJob(request.account, job);
    return {};
  },

  Job_Patch: (request) => change(request),
  Job_Update: (request) => change(request),

  Job_Disable(request) {
    const job = jobOf(request);
    checkConditions(request, job);
    disableJob(request.account, job, (request.body as Models.JobDisableParameter).disableTasks);
    return { stamped: job };
  },

  Job_Enable(request) {
    const job = jobOf(request);
    checkConditions(request, job);
    enableJob(request.account, job);
    return { stamped: job };
  },

  Job_Terminate(request) {
    const job = jobOf(request);
    checkConditions(request, job);
    checkChangeable(job);
    const body = request.body as Models.JobTerminateParameter | undefined;
    terminateJob(request.account, job, body?.terminateReason ?? "UserTerminate");
    return { stamped: job };
  },

  Job_ListPreparationAndReleaseTaskStatus(request) {
    const job = jobOf(request);
    if (job.spec.jobPreparationTask === undefined && job.spec.jobReleaseTask === undefined)
      throw conflict(
        "JobPreparationTaskOrReleaseTaskNotSpecified",
        "The specified job does not have either job preparation task or job release task.",
      );
    const nodes = [...request.account.pools.values()].flatMap((pool) => [...pool.nodes.values()]);
    const wires = nodes
      .map((node) => preparationWire(request.account, job, node))
      .filter((wire) => wire !== undefined);
    return list(request, "jobpreparationandreleasetaskstatuslist", wires);
  },

  Job_GetTaskCounts(request) {
    const tasks = [...jobOf(request).tasks.values()];
    return { body: single(request, "taskcounts/@Element", countsWire(tasks)) };
  },

  Task_Add(request) {
    const task = addTask(request.account, jobOf(request), request.body as Models.TaskAddParameter);
    return { stamped: task, location: taskUrl(request.account, task) };
  },

  Task_AddCollection(request) {
    const job = jobOf(request);
    checkChangeable(job);
    const { value } = request.body as Models.TaskAddCollectionParameter;
    const results = value.map((spec): Wire => {
      try {
        const task = addTask(request.account, job, spec);
        const location = taskUrl(request.account, task);
        const { eTag, lastModified } = task;
        return { status: "Success", taskId: spec.id, eTag, lastModified, location };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        const { code, message, values } = error;
        return {
          status: error.status >= 500 ? "ServerError" : "ClientError",
          taskId: spec.id,
          error: {
            code,
            message: { lang: "en-US", value: message },
            values: Object.entries(values).map(([key, each]) => ({ key, value: each })),
          },
        };
      }
    });
    const arranged = request.lists.arrange("addtaskcollection", results);
    const entity = "taskaddresult";
    return {
      body: { "odata.metadata": `${request.account.url}/$metadata#${entity}`, value: arranged },
    };
  },

  Task_List(request) {
    const tasks = [...jobOf(request).tasks.values()];
    return list(
      request,
      "tasks",
      tasks.map((task) => taskWire(request.account, task)),
    );
  },

  Task_Get(request) {
    const task = taskOf(request);
    return {
      body: single(request, "tasks/@Element", taskWire(request.account, task)),
      stamped: task,
    };
  },

  Task_Update(request) {
    const task = taskOf(request);
    checkConditions(request, task);
    if (task.state === "completed")
      throw conflict("TaskCompleted", "The specified task is already in a completed state.");
    const { constraints } = request.body as Models.TaskUpdateParameter;
    if (constraints === undefined) delete task.spec.constraints;
    else task.spec.constraints = constraints;
    request.account.touch(task);
    return { stamped: task };
  },

  Task_Delete(request) {
    const task = taskOf(request);
    checkConditions(request, task);
    const directory = taskDirectory(task);
    endTask(request.account, task);
    task.job.tasks.delete(task.id.toLowerCase());
    if (directory !== undefined)
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    return {};
  },

  Task_ListSubtasks: (request) =>
    list(request, "subtaskinfo", subtaskWires(request.account, taskOf(request))),

  Task_Terminate(request) {
    const task = taskOf(request);
    checkConditions(request, task);
    if (task.state === "completed")
      throw conflict("TaskCompleted", "The specified task is already in a completed state.");
    endTask(request.account, task);
    return { stamped: task };
  },

  Task_Reactivate(request) {
    const task = taskOf(request);
    checkConditions(request, task);
    checkChangeable(task.job);
    if (task.state !== "completed")
      throw conflict("TaskNotCompleted", "The specified task is not in a completed state.");
    if (task.execution?.result !== "failure")
      throw conflict("TaskSucceeded", "The specified task has already completed successfully.");
    delete task.execution;
    delete task.placement;
    task.retryCount = 0;
    request.account.enter(task, "active");
    return { stamped: task };
  },

  File_ListFromTask(request) {
    const task = taskOf(request);
    const recursive = request.query.get("recursive") === "true";
    const url = `${taskUrl(request.account, task)}/files`;
    return list(request, "files", listFiles(directoryOf(task), recursive, url));
  },

  File_GetFromTask: (request) => taskFile(request),
  File_GetPropertiesFromTask: (request) => taskFile(request),

  File_DeleteFromTask(request) {
    const recursive = request.query.get("recursive") === "true";
    deleteFile(directoryOf(taskOf(request)), request.parameters["filePath"] ?? "", recursive);
    return {};
  },
};

const taskFile: Handler = (request) => {
  const task = taskOf(request);
  const url = `${taskUrl(request.account, task)}/files`;
  const path = request.parameters["filePath"] ?? "";
  return readFile(directoryOf(task), path, url, request.headers["ocp-range"]);
};

function directoryOf(task: Task): string {
  const [node] = task.placement?.nodes ?? [];
  if (node === undefined || task.execution === undefined)
    throw conflict(
      "OperationInvalidForCurrentState",
      "The specified operation is not valid for the current state of the resource.",
    );
  const directory = join(node.directory, task.execution.root);
  if (node.pool.nodes.get(node.id) !== node) throw notFound("Node");
  if (taskDirectory(task) === undefined)
    throw conflict("TaskFilesUnavailable", "The files of the specified task are unavailable.");
  return directory;
}

const change: Handler = (request) => {
  const job = jobOf(request);
  checkConditions(request, job);
  checkChangeable(job);
  Object.assign(job.spec, request.body);
  request.account.touch(job);
  armDeadline(request.account, job);
  return { stamped: job };
};

function addTask(account: Account, job: Job, spec: Models.TaskAddParameter): Task {
  checkId(spec.id);
  checkChangeable(job);
  if (job.tasks.has(spec.id.toLowerCase())) throw exists("Task");
  checkTask(account, job, spec);
  const { constraints } = spec;
  const retries = constraints?.maxTaskRetryCount ?? job.spec.constraints?.maxTaskRetryCount;
  const task: Task = {
    ...account.born("active" as const),
    id: spec.id,
    job,
    spec:
      retries === undefined
        ? { ...spec }
        : { ...spec, constraints: { ...constraints, maxTaskRetryCount: retries } },
    retryCount: 0,
    requeueCount: 0,
    subtasks: new Map(),
  };
  job.tasks.set(task.id.toLowerCase(), task);
  return task;
}

/** Rules that the schema only says in words. */
function checkTask(account: Account, job: Job, spec: Models.TaskAddParameter): void {
  const pool = account.findPool(job.poolId ?? "");
  const hasContainers =
    pool?.spec.virtualMachineConfiguration?.containerConfiguration !== undefined;
  if (pool !== undefined && hasContainers !== (spec.containerSettings !== undefined))
    throw invalidProperty(
      "containerSettings",
      spec.containerSettings?.imageName ?? "",
      hasContainers
        ? "the pool has a container configuration: every task needs container settings"
        : "the pool has no container configuration",
    );
  if (spec.dependsOn !== undefined && job.spec.usesTaskDependencies !== true)
    throw new ServiceError(
      400,
      "TaskDependenciesNotSpecifiedOnJob",
      "The job does not have usesTaskDependencies set to true.",
    );
  if ((spec.dependsOn?.taskIds ?? []).join("").length > 64_000)
    throw new ServiceError(
      400,
      "TaskDependencyListTooLong",
      "The specified task dependency list is too long.",
    );
  const multi = spec.multiInstanceSettings;
  if (multi === undefined) return;
  if ((spec.requiredSlots ?? 1) !== 1)
    throw invalidProperty("requiredSlots", String(spec.requiredSlots), "must be 1");
  if (pool !== undefined && pool.spec.enableInterNodeCommunication !== true)
    throw invalidProperty(
      "multiInstanceSettings",
      "",
      "the pool does not have inter-node communication enabled",
    );
}
