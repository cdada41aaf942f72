// SLURM as a scheduler: its options, its commands and what they print.

import { fileURLToPath } from "node:url";
import { err, ok, type ResourceRequest, type Result } from "@flow/core";
import type { SlurmOptions, SlurmTaskOptions } from "../../options.ts";
import { type CommandResult, complaint } from "../../transport/transport.ts";
import type { Command, Demands, Refusal, Row, Scheduler, Submission } from "../scheduler.ts";
import { parseUsage, sacct, usageOf } from "./accounting.ts";
import { meaningOf, neverStarts } from "./states.ts";

/** Between the warning before the time limit and the kill, beside the task's grace. */
const LEAD_SLACK_S = 10;

/** SLURM may send a warning this much early. */
const EARLY_S = 60;

/** What SLURM allows when it does not say otherwise. */
const MAX_ARRAY_SIZE = 1001;

const QUEUE_FIELDS = [
  "ArrayJobID",
  "ArrayTaskID",
  "RestartCnt",
  "State",
  "Reason",
  "NodeList",
  "Name",
];

/**
 * A command of SLURM without the variables by which a person narrows what it does: a job that `squeue`
 * leaves out would be taken for gone.
 */
const whole = (program: "squeue" | "scancel"): readonly string[] => [
  "env",
  ...NARROWING.flatMap((name) => ["-u", `${program.toUpperCase()}_${name}`]),
  program,
];

const NARROWING = [
  "ACCOUNT CTLD FULL INTERACTIVE LICENSES NAME NAMES PARTITION PRIORITY QOS",
  "SIB SIBLING STATE STATES USER USERS WCKEY",
].flatMap((line) => line.split(" "));

/** The descriptor of a cluster with these options. */
export function slurm(options: SlurmOptions): Scheduler {
  return {
    title: "SLURM",
    probe: ["sbatch", "--version"],
    nodeScript: fileURLToPath(new URL("../../../node/slurm.sh", import.meta.url)),
    ownVariable: /^SLURM_/,
    request: (job) => requestOf(job, options),
    tryOut: (request) => ({
      argv: ["sbatch", "--test-only", ...request],
      input: "#!/bin/sh\n",
    }),
    parseTryOut,
    limits: () => ({ argv: ["sinfo", "-h", "-o", "%R|%l"], input: "" }),
    submit,
    parseSubmitted,
    // All: the jobs of a hidden partition are left out otherwise.
    list: () => ({
      argv: [...whole("squeue"), "--me", "-a", "-h", "-r", "-t", "all", "-O", fields(QUEUE_FIELDS)],
      input: "",
    }),
    parseList,
    history: (names) => ({
      argv: [...sacct("JobID,State,NodeList,JobName", "-X"), `--name=${names.join(",")}`],
      input: "",
    }),
    parseHistory,
    usage: (names) => ({ argv: usageOf(names), input: "" }),
    parseUsage,
    cancel,
    settings: () => ({ argv: ["scontrol", "show", "config"], input: "" }),
    parseSettings: ({ stdout }) => {
      const size = /^MaxArraySize\s*=\s*(\d+)/m.exec(stdout)?.[1];
      return { maxMembers: Math.max(1, Number(size ?? MAX_ARRAY_SIZE) - 1) };
    },
  };
}

const fields = (names: readonly string[]): string => names.map((name) => `${name}:|`).join(",");

function requestOf(job: Demands, defaults: SlurmOptions): readonly string[] {
  const { resources } = job;
  const own = job.options as Partial<SlurmTaskOptions>;
  const partition = own.partition ?? defaults.partition;
  const account = own.account ?? defaults.account;
  const qos = own.qos ?? defaults.qos;
  const raw = [...defaults.sbatch, ...(own.sbatch ?? [])];
  return [
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...(qos === undefined ? [] : [`--qos=${qos}`]),
    ...resourceOptions(resources),
    ...warning(job),
    ...raw,
  ];
}

function resourceOptions(resources: ResourceRequest): readonly string[] {
  const { cpusMilli, memoryBytes, gpusMilli, gpuModel, diskBytes, timeMs } = resources;
  const gpus = gpusMilli === undefined ? 0 : gpusMilli / 1000;
  return [
    `--nodes=${resources.nodes ?? 1}`,
    ...(resources.mpiProcesses === undefined ? [] : [`--ntasks=${resources.mpiProcesses}`]),
    ...(cpusMilli === undefined
      ? []
      : [`--cpus-per-task=${Math.max(1, Math.ceil(cpusMilli / 1000))}`]),
    ...(memoryBytes === undefined ? [] : [`--mem=${Math.ceil(memoryBytes / 2 ** 20)}M`]),
    ...(gpus === 0 ? [] : [`--gres=gpu:${gpuModel === undefined ? "" : `${gpuModel}:`}${gpus}`]),
    ...(diskBytes === undefined ? [] : [`--tmp=${Math.ceil(diskBytes / 2 ** 20)}M`]),
    ...(timeMs === undefined ? [] : [`--time=${limitMinutes(timeMs)}`]),
  ];
}

/** SLURM counts in minutes. */
const limitMinutes = (timeMs: number): number => Math.max(1, Math.ceil(timeMs / 60_000));

/** A signal to the job's shell ahead of the limit, unless it could come with the start already. */
function warning({ resources, stop }: Demands): readonly string[] {
  const lead = Math.ceil(stop.graceMs / 1000) + LEAD_SLACK_S;
  const limit = resources.timeMs === undefined ? Infinity : limitMinutes(resources.timeMs) * 60;
  return limit < lead + EARLY_S ? [] : [`--signal=B:USR2@${lead}`];
}

/** Text after which SLURM expects no pattern. */
const literal = (path: string): string => path.replaceAll("%", "%%");

function submit(submission: Submission): Command {
  const { name, title, members, request, restartable, command, log } = submission;
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return {
    argv: [
      "sbatch",
      "--parsable",
      `--job-name=${name}`,
      `--comment=${title}`,
      ...(members === 1 ? [] : [`--array=0-${members - 1}`]),
      restartable ? "--requeue" : "--no-requeue",
      `--output=${literal(log)}`,
      "--open-mode=append",
      ...request,
    ],
    input: `#!/bin/sh\nexec ${words.join(" ")}\n`,
  };
}

/** Refusals that pass by themselves: for want of room, or because something of the cluster is down. */
const BUSY = new RegExp(
  [
    String.raw`(Assoc|QOS)\w*(Max|Grp)\w*(Submit|Job)\w*Limit|MaxSubmitJobs|job submit limit`,
    "Slurm temporarily unable to accept job|Resource temporarily unavailable|job queue full",
    "Unable to create job record|Job creation temporarily disabled|Requested nodes are busy",
    "Rate limit exceeded|in standby mode|not available (now|\\((inactive|down))",
    "Unable to connect to database|authentication (error|failure)|Munge encode failed",
  ].join("|"),
  "i",
);

/** Limits on what one job may ask for. SLURM ends such a refusal with words about all limits. */
const PER_JOB = /\b(Assoc|QOS)(Max\w*Per(Job|Node)|Min[A-Z])/;

/** No answer of the controller: nobody knows whether the job was taken. */
const UNCLEAR =
  /Unable to contact slurm controller|Socket timed out|Connection (refused|reset|timed out)|Zero Bytes were transmitted|Transport endpoint/i;

/** Refusals that no waiting changes. */
const NEVER =
  /node configuration is not available|Memory specification|invalid partition|invalid account|Invalid qos|Invalid generic resource|Invalid feature|time limit is invalid|More processors requested|Node count specification invalid|not permitted|unrecognized option|Invalid account or account\/partition/i;

function parseTryOut(
  result: CommandResult,
  { resources: { timeMs } }: Demands,
  limits: CommandResult,
): string | undefined {
  const { code, stderr } = result;
  if (code === undefined || UNCLEAR.test(stderr)) return undefined;
  if (code !== 0)
    return NEVER.test(stderr) || PER_JOB.test(stderr)
      ? complaint(result).replace(/^(sbatch|allocation failure): (error: )?/, "")
      : undefined;
  const partition = / in partition (\S+)/.exec(stderr)?.[1];
  const row = limits.stdout.split("\n").find((line) => line.split("|")[0] === partition);
  const most = durationMinutes(row?.split("|")[1] ?? "");
  if (timeMs === undefined || most === undefined || limitMinutes(timeMs) <= most) return undefined;
  return `the longest time in partition ${partition} is ${most} minutes, \`time\` asks for ${limitMinutes(timeMs)}`;
}

/** `D-HH:MM:SS` and shorter forms; undefined for `infinite`. */
function durationMinutes(text: string): number | undefined {
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] =
    /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)$/.exec(text) ?? [];
  const total = Number(days) * 1440 + Number(hours) * 60 + Number(minutes) + Number(seconds) / 60;
  return total === 0 ? undefined : Math.floor(total);
}

function parseSubmitted(result: CommandResult): Result<string, Refusal> {
  const id = /^(\d+)(;.*)?$/m.exec(result.stdout)?.[1];
  if (result.code === 0 && id !== undefined) return ok(id);
  const message = complaint(result).replace(/^sbatch: (error: )?/, "");
  if (result.code === undefined || result.code === 0 || UNCLEAR.test(result.stderr))
    return err({ type: "unclear", message });
  const isBusy = BUSY.test(result.stderr) && !PER_JOB.test(result.stderr);
  return err({ type: isBusy ? "busy" : "rejected", message });
}

function parseList({ code, stdout }: CommandResult): readonly Row[] | undefined {
  if (code !== 0) return undefined;
  return stdout.split("\n").flatMap((line) => {
    const [id = "", task = "", restarts = "", state = "", reason = "", node = "", name] =
      line.split("|");
    if (name === undefined) return [];
    const index = /^\d+$/.test(task) ? Number(task) : 0;
    return [
      {
        ...row(name, index, state),
        id: /^\d+$/.test(task) ? `${id}_${task}` : id,
        restarts: Number(restarts) || 0,
        why: reason === "None" || reason === "" ? undefined : reason,
        stuck: meaningOf(state).stuck === true || neverStarts(reason),
        node: node === "" || node === "(null)" ? undefined : node,
      },
    ];
  });
}

/** `sacct` does not tell how often a job was restarted; the files do. */
function parseHistory({ code, stdout }: CommandResult): readonly Row[] {
  if (code !== 0) return [];
  return stdout.split("\n").flatMap((line) => {
    const [id = "", state = "", nodes = "", name] = line.split("|");
    if (name === undefined) return [];
    const [number = "", elements] = id.split("_");
    const node = nodes === "" || nodes === "None assigned" ? undefined : nodes;
    const known = { restarts: 0, why: undefined, stuck: false, node };
    // The database may have missed which elements an array had that never started.
    if (elements === undefined)
      return [{ ...row(name, 0, state), id, ...known, whole: node === undefined }];
    return indices(elements).map((index) => ({
      ...row(name, index, state),
      id: `${number}_${index}`,
      ...known,
    }));
  });
}

/** Elements of an array: `7`, or together those that never started: `[0-3,8-20:4%2]`. */
function indices(text: string): readonly number[] {
  return text
    .replace(/^\[|(%\d+)?\]$/g, "")
    .split(",")
    .flatMap((range) => {
      const [, first, last = first, step = 1] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(range) ?? [];
      if (first === undefined) return [];
      const count = Math.floor((Number(last) - Number(first)) / Number(step)) + 1;
      return Array.from({ length: count }, (_, n) => Number(first) + n * Number(step));
    });
}

function row(
  name: string,
  index: number,
  state: string,
): Pick<Row, "name" | "index" | "phase" | "state" | "cause" | "cancelled"> {
  const { phase, cause, cancelled } = meaningOf(state);
  return { name, index, phase, state, cause, cancelled: cancelled === true };
}

/** `--batch` reaches the job's own shell, which knows how to stop a program. */
function cancel(ids: readonly string[], how: "graceful" | "forced"): readonly Command[] {
  if (how === "forced") return [{ argv: [...whole("scancel"), ...ids], input: "" }];
  return [
    { argv: [...whole("scancel"), "--state=PENDING", ...ids], input: "" },
    { argv: [...whole("scancel"), "--batch", "--signal=TERM", ...ids], input: "" },
  ];
}
