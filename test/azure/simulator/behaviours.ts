/**
 * What the simulator does, and who says so: the official specification, a recorded answer of the service, a
 * page of Microsoft's documentation, the official client, or nobody yet (`assumed`). The page
 * `docs/reference/azure-simulator.md` is written from this table.
 */

type Source =
  /** An operation or a model of the official specification, 2022-10-01.16.0. */
  | { readonly kind: "specification"; readonly at: string }
  /** A recorded answer of the real service. */
  | { readonly kind: "recording"; readonly at: string }
  /** A page below learn.microsoft.com. */
  | { readonly kind: "documentation"; readonly at: string }
  /** `@azure/batch` 10.2.0. */
  | { readonly kind: "client"; readonly at: string }
  /** Nobody here could check it; the text says what a real run would show. */
  | { readonly kind: "assumed"; readonly at: string };

interface Behaviour {
  /** The file that does it. */
  readonly file: string;
  readonly does: string;
  readonly source: Source;
}

const specification = (at: string): Source => ({ kind: "specification", at });
const recording = (at: string): Source => ({ kind: "recording", at });
const documentation = (at: string): Source => ({ kind: "documentation", at });
const client = (at: string): Source => ({ kind: "client", at });
const assumed = (at: string): Source => ({ kind: "assumed", at });

const rows = (file: string, ...entries: readonly (readonly [string, Source])[]): Behaviour[] =>
  entries.map(([does, source]) => ({ file, does, source }));

const ENVIRONMENT = "azure/batch/batch-compute-node-environment-variables";
const FILES = "azure/batch/files-and-directories";
const ERRORS = "azure/batch/error-handling";
const CODES = "rest/api/batchservice/batch-status-and-error-codes";
const FAILURES = "dotnet/api/microsoft.azure.batch.common.taskfailureinformationcodes";
const FORMULAS = "azure/batch/batch-automatic-scaling";
const SIGNING = "rest/api/batchservice/authenticate-requests-to-the-azure-batch-service";

export const behaviours: readonly Behaviour[] = [
  ...rows(
    "signature.ts",
    [
      "signs the headers as they were sent, in a fixed order, then `ocp-*`, path and query",
      documentation(SIGNING),
    ],
    ["refuses a date more than 15 minutes away", documentation(SIGNING)],
  ),
  ...rows(
    "server.ts",
    ["answers 200 to the read of a range, never 206", specification("File_GetFromTask")],
    [
      "sends `odata.metadata`, `request-id`, `dataserviceversion` and the other headers",
      recording("all"),
    ],
    [
      "writes `Spread` and `UserError` with capitals, and sizes of files as texts",
      recording("Pool_Get, Task_Get, File_ListFromTask"),
    ],
    [
      "asks for `odata=minimalmetadata` in the content type of a body",
      client("all operations with a body"),
    ],
    ["refuses a body that the models do not allow with `InvalidRequestBody`", documentation(CODES)],
    [
      "takes versions 2022-10-01.16.0 and 2023-11-01.18.0",
      assumed("until when the service takes them"),
    ],
  ),
  ...rows(
    "listing.ts",
    ["gives 1000 entries on a page and links on with `odata.nextLink`", specification("Task_List")],
    [
      "refuses `maxresults` out of range with `InvalidQueryParameterValue`",
      recording("Pool_List with maxresults=-5"),
    ],
    [
      "goes on after the last entry seen when a list changes between pages",
      assumed("what a token means while tasks are added"),
    ],
    [
      "filters by comparison and `startswith`, joined by `and` and `or`",
      documentation("rest/api/batchservice/odata-filters-in-batch"),
    ],
  ),
  ...rows(
    "request.ts",
    [
      "takes ids of 1 to 64 letters, digits, hyphens and underscores, unique without regard to case",
      specification("JobAddParameter.id"),
    ],
    [
      "answers 412 `ConditionNotMet` to an entity tag that is not the present one",
      documentation(CODES),
    ],
  ),
  ...rows(
    "pools.ts",
    ["is `resizing` after it was added, also without nodes", recording("Pool_Get of a new pool")],
    [
      "allocates, boots and deletes within milliseconds",
      assumed("minutes in reality, and never the same"),
    ],
    [
      "keeps what it could get and lists the rest in `resizeErrors`",
      specification("CloudPool.resizeErrors"),
    ],
    [
      "uses the codes `AllocationFailed`, `AllocationTimedOut`, `AccountCoreQuotaReached`",
      documentation("azure/batch/batch-pool-node-error-checking"),
    ],
    ["counts cores by the first number in the name of a size", assumed("the table of sizes")],
    ["deletes a pool by sending its tasks back to the queue", specification("Pool_Delete")],
    ["removes idle nodes before busy ones", assumed("the order in which a resize takes nodes")],
    [
      "refuses a resize while one goes on (`PoolBeingResized`) or with autoscale (`PoolAutoScaleEnabled`)",
      documentation(CODES),
    ],
  ),
  ...rows(
    "autoscale.ts",
    [
      "evaluates assignments, arithmetic, choices, `min`, `max`, `avg`, `time` and samples",
      documentation(FORMULAS),
    ],
    ["evaluates at once when a pool is made and after each interval", documentation(FORMULAS)],
    [
      "answers errors as `AutoScalingFormulaEvaluationError` with line and column",
      recording("Pool_EvaluateAutoScale of an unknown name"),
    ],
    [
      "has one sample for each series, the present value",
      assumed("how samples of the last minutes weigh"),
    ],
    ["rounds a target down", assumed("how a fraction of a node is rounded")],
  ),
  ...rows(
    "nodes.ts",
    [
      "lays out `shared`, `startup`, `workitems`, `fsmounts`, `applications`, `volatile`",
      recording("File_ListFromComputeNode"),
    ],
    [
      "sets the `AZ_BATCH_*` variables and nothing of the machine but `PATH`",
      documentation(ENVIRONMENT),
    ],
    [
      "waits for the start task unless `waitForSuccess` is false; a failed one makes it `starttaskfailed`",
      specification("StartTask.waitForSuccess"),
    ],
    [
      "is `unusable` when a mount fails, with an error that says so",
      assumed("the code of that error"),
    ],
  ),
  ...rows(
    "tasks.ts",
    [
      "keeps a task in `workitems/<job>/job-1/<task>` with `stdout.txt`, `stderr.txt`, `wd`",
      documentation(FILES),
    ],
    [
      "retries after a failing exit code only, not after errors before or after the command",
      specification("TaskConstraints.maxTaskRetryCount"),
    ],
    [
      "keeps the working directory over retries and writes the output anew",
      assumed("what the agent keeps between retries"),
    ],
    ["ends a task over its wall-clock limit as `TaskEnded`, `ServerError`", documentation(ERRORS)],
    ["measures that limit for each try", assumed("whether retries share one limit")],
    [
      "kills the whole process group at once, without a signal before",
      assumed("whether there is a warning before"),
    ],
    ["gives a killed task the exit code 137", assumed("the exit code of a task that was ended")],
    [
      "names failures `FailureExitCode`, `CommandProgramNotFound`, `TaskEnded`",
      recording("Task_Get; documentation has the list"),
    ],
    [
      "runs the coordination command everywhere before the command of the primary",
      specification("MultiInstanceSettings.coordinationCommandLine"),
    ],
    [
      "sends tasks of a lost node back to the queue, without any count going up",
      assumed("which count a preemption raises"),
    ],
    [
      "forgets the node and the output of a task that lost its node",
      assumed("whether output of a lost node is kept"),
    ],
    [
      "brings a preempted node back under the same id, empty, when a test asks for it",
      documentation("azure/batch/batch-spot-vms"),
    ],
    [
      "counts a requeue only where a client asked for it",
      specification("TaskExecutionInformation.requeueCount"),
    ],
  ),
  ...rows(
    "processes.ts",
    [
      "runs command lines without a shell",
      documentation("azure/batch/batch-compute-node-environment-variables"),
    ],
    [
      "ends what a command left in its group when the command ends",
      assumed("what becomes of background processes"),
    ],
  ),
  ...rows("command-line.ts", [
    "splits at blanks and takes quotes and backslashes as a shell would",
    assumed("the agent's own rules for quotes"),
  ]),
  ...rows(
    "jobs.ts",
    [
      "leaves waiting tasks active when a job is terminated, and takes no new ones",
      specification("Job_Terminate"),
    ],
    [
      "gives `AllTasksComplete`, `TaskFailed` and `MaxWallClockTimeExpiry` as reasons",
      specification("JobExecutionInformation.terminateReason"),
    ],
    [
      "completes an empty job at once with `terminatejob`",
      specification("JobAddParameter.onAllTasksComplete"),
    ],
    [
      "accepts a job whose own pool cannot be had, and completes it with a `schedulingError`",
      documentation(CODES),
    ],
    ["names the pool of a job by its prefix and a GUID", assumed("the separator in that name")],
    [
      "deletes that pool with the job, if the job is its lifetime",
      specification("AutoPoolSpecification.keepAlive"),
    ],
    [
      "does not put tasks of a job on a node where its preparation failed",
      specification("JobPreparationTask"),
    ],
    [
      "refuses changes of an ending job with `JobBeingTerminated`, `JobCompleted`, `JobBeingDeleted`",
      documentation(CODES),
    ],
  ),
  ...rows(
    "scheduler.ts",
    [
      "takes jobs by priority, tasks in the order of their addition",
      assumed("the order among tasks of one job"),
    ],
    [
      "spreads tasks over nodes unless the pool says `pack`",
      specification("TaskSchedulingPolicy.nodeFillType"),
    ],
    [
      "starts a task only after those it depends on succeeded, or were told to satisfy",
      specification("ExitOptions.dependencyAction"),
    ],
    [
      "never preempts a task for one of a higher priority",
      assumed("`allowTaskPreemption` is not simulated"),
    ],
  ),
  ...rows("pool-operations.ts", [
    "answers `NodeStateUnusable` to files of a preempted node",
    assumed("the code of that refusal"),
  ]),
  ...rows(
    "job-operations.ts",
    [
      "answers each task of a collection by itself, with `ClientError` and `TaskExists` for a repeated one",
      specification("Task_AddCollection"),
    ],
    [
      "asks for container settings in all tasks of a pool with containers, and in none else",
      specification("VirtualMachineConfiguration.containerConfiguration"),
    ],
    [
      "runs a task with container settings as an ordinary process",
      assumed("pulling and running of images"),
    ],
    ["reactivates a task that completed with a failure only", specification("Task_Reactivate")],
    ["answers 409 to files of a task that has no node or no directory", documentation(CODES)],
  ),
  ...rows(
    "transfers.ts",
    [
      "fails a task before its command with `BlobNotFound`, `BlobAccessDenied`, `BlobDownloadMiscError`",
      documentation(FAILURES),
    ],
    [
      "fails a task after its command with `FileUploadAccessDenied`, `FileUploadContainerNotFound`, `FileUploadMiscError`",
      assumed("the exact codes of failed uploads"),
    ],
    [
      "names the blob without its signature in an error",
      assumed("what the service shows of the link"),
    ],
  ),
  ...rows(
    "mounts.ts",
    [
      "keeps a mounted container equal to the blob server, in steps of a tenth of a second",
      assumed(
        "blobfuse writes a blob when a file is closed; a test with a true mount stands beside",
      ),
    ],
    [
      "gives file shares and NFS exports as directories that all nodes see",
      assumed("SMB and NFS themselves"),
    ],
    ["never gives back the key of a mount", recording("Pool_Get; secrets are stripped")],
  ),
];

/** The page that lists them; what is assumed comes first. */
export function behavioursPage(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const table = (list: readonly Behaviour[], last: string): readonly string[] => [
    `| the simulator | ${last} |`,
    "| --- | --- |",
    ...list.map(({ does, source }) => `| ${cell(does)} | ${cell(saidBy(source))} |`),
  ];
  const open = behaviours.filter(({ source }) => source.kind === "assumed");
  const known = behaviours.filter(({ source }) => source.kind !== "assumed");
  return [
    "<!-- Written by test/azure/behaviours.test.ts from test/azure/simulator/behaviours.ts. -->",
    "# What the Azure simulator assumes",
    "",
    "flow has never run on the real Azure Batch service. It is tested against a simulated account that checks every request against the models of the official client and, where the official OpenAPI is at hand, against that with Microsoft's own validator, that is compared with recorded answers of the service, and that runs tasks as processes. This page says what that simulator takes from where. What is assumed is what a first run on the real service has to be watched for.",
    "",
    `## Assumed (${open.length})`,
    "",
    ...table(open, "not known"),
    "",
    `## With a source (${known.length})`,
    "",
    ...table(known, "source"),
    "",
    "Also not simulated: tokens of Microsoft Entra (requests are signed with the account's key), network security, certificates, Windows nodes, job schedules, application packages, real throttling limits.",
    "",
  ].join("\n");
}

function saidBy({ kind, at }: Source): string {
  if (kind === "assumed") return at;
  return kind === "documentation" ? `documentation, \`${at}\`` : `${kind}, ${at}`;
}
