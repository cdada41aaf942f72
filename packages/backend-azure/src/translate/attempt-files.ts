// What an attempt brings along to its node: the runner's specification, the settings of `node.sh`, and
// the files of the contract. Pure but for reading those files.

import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { err, type Job, ok, type Result } from "@flow/core";
import { parseStopSignal, type RunnerSpec, shellSpec } from "@flow/task-py";
import { nodeDirectory } from "../naming.ts";
import type { TarFile } from "../storage/tar.ts";
import { checkpointInProject, toNode } from "./node-paths.ts";

/** Links and times for `node.sh`; an absent state link: nothing is saved while it runs. */
export interface NodeSettings {
  readonly claimUrl: string;
  readonly stopUrl: string;
  readonly stateUrl: string | undefined;
  readonly stopPollMs: number;
  readonly saveMs: number;
  /** The folder of the state mount, below the node's mounts; absent: staged. */
  readonly stateMount: string | undefined;
  /** The checkpoint directory is to be empty. */
  readonly fresh: boolean;
  /** After this long the service kills it. */
  readonly limitMs: number;
  /** Name → folder below the node's mounts. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Folder below the node's mounts for the attempt's output; absent: it is not left there. */
  readonly stdouterr: string | undefined;
  /** What the node brings to a mount unless it lies there. */
  readonly deliveries: readonly Delivery[];
}

/** Files for a mount that only nodes can write to. */
export interface Delivery {
  /** Folder below the node's mounts. */
  readonly folder: string;
  /** File in it that tells what was brought last. */
  readonly mark: string;
  readonly digest: string;
  /** Link to the archive. */
  readonly url: string;
}

/** Variables that the node sets, or that mean nothing there. */
const NODE_VARIABLES: ReadonlySet<string> = new Set([
  "FLOW_EVENTS",
  "FLOW_RESUME",
  "FLOW_STOP_FILE",
  "PYTHONPATH",
]);

/** How long a program may go on after a stop request has come before the runner looks. */
const MOST_LOOK_MS = 1000;

/** The files, relative to the task's working directory. Fails with a sentence about what a node cannot do. */
export function attemptFiles(job: Job, settings: NodeSettings): Result<readonly TarFile[], string> {
  const spec = runnerSpec(job, settings);
  if (!spec.ok) return spec;
  return ok([
    { path: "attempt/spec.sh", data: Buffer.from(spec.value) },
    { path: "attempt/node.conf", data: Buffer.from(nodeConf(job, settings)) },
    {
      path: "attempt/outputs",
      data: Buffer.from(
        wantedBack(job)
          .map((each) => `${each}\n`)
          .join(""),
      ),
    },
    ...deliveryFiles(settings),
    ...contractFiles(job),
  ]);
}

function runnerSpec(job: Job, settings: NodeSettings): Result<string, string> {
  const { stopPollMs } = settings;
  const signal = parseStopSignal(job.stop.signal);
  if (signal === undefined)
    return err(`\`stop.signal: ${job.stop.signal}\` cannot be sent on a node; use SIGTERM.`);
  const place = toNode(job);
  const base = nodeDirectory(job);
  const env = Object.entries(job.env).filter(([name]) => !NODE_VARIABLES.has(name));
  const spec: RunnerSpec = {
    version: 1,
    key: job.key,
    actions: job.actions.map((each) => action(each, place)),
    finally: job.finally.map((each) => action(each, place)),
    cwd: place(job.cwd),
    env: {
      ...Object.fromEntries(env.map(([name, value]) => [name, place(value)])),
      ...mountVariables(job, settings),
      PYTHONPATH: `${base}/support/python`,
    },
    // Everything below the link is the task's own, and the service removes it.
    make_dirs: [
      place(job.cwd),
      `${base}/tmp`,
      ...foldersOf(job).map((path) => `${base}/project/${path}`),
      ...outputFolders(job).map(place),
    ],
    ...(job.timeoutMs === undefined ? {} : { timeout_s: job.timeoutMs / 1000 }),
    stop: {
      signal,
      grace_s: job.stop.graceMs / 1000,
      poll_s: Math.min(stopPollMs, MOST_LOOK_MS) / 1000,
    },
    requeue: { codes: job.requeueCodes },
  };
  try {
    return ok(shellSpec(spec));
  } catch (error) {
    return err(`${(error as Error).message}.`);
  }
}

/** A name as a variable's suffix. */
const suffix = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, "_").toUpperCase();

/** Where mounts and output are, for those who know the contract and for programs made for Batch AI. */
function mountVariables(
  job: Job,
  { mounts, stdouterr }: NodeSettings,
): Readonly<Record<string, string>> {
  const { env } = job;
  const root = `${nodeDirectory(job)}/mounts`;
  const variables = Object.entries(mounts).map(([name, path]) => [
    `FLOW_MOUNT_${suffix(name)}`,
    `${root}/${path}`,
  ]);
  if (env["AZ_BATCHAI_JOB_MOUNT_ROOT"] !== undefined && variables.length > 0)
    variables.push(["AZ_BATCHAI_JOB_MOUNT_ROOT", root]);
  if (env["AZ_BATCHAI_STDOUTERR_DIR"] !== undefined && stdouterr !== undefined)
    variables.push(["AZ_BATCHAI_STDOUTERR_DIR", `${root}/${stdouterr}/stdouterr`]);
  return Object.fromEntries(variables) as Record<string, string>;
}

function action(
  { argv, cwd, env, stdin, timeoutMs, okExit }: Job["actions"][number],
  place: (path: string) => string,
) {
  return {
    argv,
    cwd: place(cwd),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, place(value)])),
    ...(stdin === undefined ? {} : { stdin: place(stdin) }),
    ...(timeoutMs === undefined ? {} : { timeout_s: timeoutMs / 1000 }),
    ok_exit: okExit,
  };
}

/** Folders of the project that the programs write into. */
const foldersOf = (job: Job): readonly string[] =>
  [...new Set(wantedBack(job).map(dirname))].filter((path) => path !== ".");

/** The named outputs, which are there before a program begins. */
const outputFolders = ({ env, paths }: Job): readonly string[] =>
  Object.entries(env).flatMap(([name, path]) =>
    name.startsWith("FLOW_OUTPUT_") && path.startsWith(`${paths.root}/`) ? [path] : [],
  );

/** Paths in the project that come back: what the task declares that it makes. */
const wantedBack = ({ outputs, leaves = [] }: Job): readonly string[] => [
  ...new Set([...outputs, ...leaves].map((path) => path.replace(/\/+$/, ""))),
];

function deliveryFiles({ deliveries }: NodeSettings): readonly TarFile[] {
  if (deliveries.length === 0) return [];
  const lines = deliveries.map(
    ({ folder, mark, digest, url }) => `${folder} ${mark} ${digest} ${url}\n`,
  );
  return [{ path: "attempt/deliveries", data: Buffer.from(lines.join("")) }];
}

function nodeConf(job: Job, settings: NodeSettings): string {
  const every = Math.max(1, Math.round(settings.saveMs / settings.stopPollMs));
  const values = {
    link: nodeDirectory(job),
    claim_url: settings.claimUrl,
    stop_url: settings.stopUrl,
    state_url: settings.stateUrl ?? "",
    stop_s: String(settings.stopPollMs / 1000),
    save_every: String(every),
    state_mount: settings.stateMount ?? "",
    fresh: settings.fresh ? "1" : "",
    limit_s: String(Math.ceil(settings.limitMs / 1000)),
    processes: String(job.resources.mpiProcesses ?? ""),
    mounted: Object.keys(settings.mounts).length === 0 ? "" : "1",
    stdouterr: settings.stdouterr === undefined ? "" : `mounts/${settings.stdouterr}/stdouterr`,
    ckpt_link: checkpointInProject(job.paths) ?? "",
  };
  return Object.entries(values)
    .map(([name, value]) => `n_${name}=${shellQuote(value)}\n`)
    .join("");
}

export const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Files in the attempt's directory that its variables speak of. */
function contractFiles({ env, paths }: Job): readonly TarFile[] {
  return Object.values(env).flatMap((value) => {
    if (!value.startsWith(`${paths.attempt}/`)) return [];
    const name = value.slice(paths.attempt.length + 1);
    const stat = statSync(value, { throwIfNoEntry: false });
    return stat?.isFile() === true && !name.includes("/")
      ? [{ path: `attempt/${name}`, data: readFileSync(value) }]
      : [];
  });
}
