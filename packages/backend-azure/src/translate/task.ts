// A job of flow as a task of Azure Batch. Pure.

import type { Job } from "@flow/core";
import { taskId } from "../naming.ts";
import type { ResourceFileBody, TaskBody } from "../service/batch-port.ts";

/** As much of a job as its body is made from. */
export type TaskPart = Pick<Job, "key" | "task" | "container" | "resources">;

export interface TaskRequest {
  readonly job: TaskPart;
  /** Archives that every node needs: name → link. */
  readonly shared: Readonly<Record<string, string>>;
  /** Archives for the node the task runs on. */
  readonly resources: Readonly<Record<string, string>>;
  /** A link that lets the service write into the container, and the blob it is to write. */
  readonly result: { readonly url: string; readonly path: string };
  /** The service stops it after this long. */
  readonly maxTimeMs: number;
}

/** How long the service keeps a task's directory while its node lives. */
const RETENTION_MS = 86_400_000;

/** Begins an attempt, or its part on a further node, with the archives in a folder (`/` at its end). */
const start = (folder: string, role: string): string =>
  `/bin/sh -c 'tar -xf ${folder}support.tar && tar -xf ${folder}attempt.tar && exec sh support/node.sh${role}'`;

/** Where the service puts what all nodes of a task need. */
const SHARED = '"$AZ_BATCH_TASK_SHARED_DIR"/';

export function taskBody({ job, shared, resources, result, maxTimeMs }: TaskRequest): TaskBody {
  const count = job.resources.nodes ?? 1;
  const isAlone = count < 2;
  return {
    id: taskId(job.key),
    displayName: job.task.slice(0, 1024),
    commandLine: isAlone ? start("", "") : start(SHARED, ""),
    ...(job.container === undefined ? {} : containerOf(job)),
    resourceFiles: files(isAlone ? { ...shared, ...resources } : resources),
    outputFiles: [
      {
        filePattern: "result.tar.gz",
        destination: {
          container: { containerUrl: result.url, path: result.path },
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
    userIdentity: {
      // Programs on several nodes reach each other as the one user that all nodes have.
      autoUser: { scope: isAlone ? "task" : "pool", elevationLevel: "nonadmin" },
    },
    ...(isAlone
      ? {}
      : {
          multiInstanceSettings: {
            numberOfInstances: count,
            coordinationCommandLine: start(SHARED, " member"),
            commonResourceFiles: files(shared),
          },
        }),
  };
}

const files = (links: Readonly<Record<string, string>>): readonly ResourceFileBody[] =>
  Object.entries(links).map(resourceFile);

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
