// A job of flow as a task of Azure Batch. Pure.

import type { Job } from "@flow/core";
import { attemptBlobs, taskId } from "../naming.ts";
import type { ResourceFileBody, TaskBody } from "../service/batch-port.ts";

/** As much of a job as its body is made from. */
export type TaskPart = Pick<Job, "key" | "task" | "container" | "resources">;

export interface TaskRequest {
  readonly job: TaskPart;
  /** Archives for the task's directory: name → link. */
  readonly resources: Readonly<Record<string, string>>;
  /** A link that lets the service write into the container. */
  readonly resultUrl: string;
  /** The service stops it after this long. */
  readonly maxTimeMs: number;
}

/** How long the service keeps a task's directory while its node lives. */
const RETENTION_MS = 86_400_000;

const START = "tar -xf support.tar && tar -xf attempt.tar && exec sh support/node.sh";

export function taskBody({ job, resources, resultUrl, maxTimeMs }: TaskRequest): TaskBody {
  return {
    id: taskId(job.key),
    displayName: job.task.slice(0, 1024),
    commandLine: `/bin/sh -c '${START}'`,
    ...(job.container === undefined ? {} : containerOf(job)),
    resourceFiles: Object.entries(resources).map(resourceFile),
    outputFiles: [
      {
        filePattern: "result.tar.gz",
        destination: {
          container: { containerUrl: resultUrl, path: attemptBlobs(job.key).result },
        },
        uploadOptions: { uploadCondition: "taskcompletion" },
      },
    ],
    environmentSettings: [],
    constraints: {
      maxWallClockTime: isoDuration(maxTimeMs),
      retentionTime: isoDuration(RETENTION_MS),
      maxTaskRetryCount: 0,
    },
    userIdentity: { autoUser: { scope: "task", elevationLevel: "nonadmin" } },
  };
}

const resourceFile = ([filePath, httpUrl]: readonly [string, string]): ResourceFileBody => ({
  httpUrl,
  filePath,
  ...(filePath === "secrets" ? { fileMode: "0400" } : {}),
});

function containerOf({ container, resources }: TaskPart): Pick<TaskBody, "containerSettings"> {
  const gpus = (resources.gpusMilli ?? 0) > 0;
  return {
    containerSettings: {
      imageName: container ?? "",
      ...(gpus ? { containerRunOptions: "--gpus all --shm-size=1g" } : {}),
      workingDirectory: "taskWorkingDirectory",
    },
  };
}

/** `PT90S` for a minute and a half; at least a second. */
export const isoDuration = (milliseconds: number): string =>
  `PT${Math.max(1, Math.ceil(milliseconds / 1000))}S`;
