// The command lines that Batch AI made of a toolkit's settings, for a task whose actions run on the first of its nodes.

import { asMap, asNumber, asText, type Fields } from "./imported.ts";

interface Launch {
  readonly actions: readonly string[];
  /** Processes over all nodes; undefined: one, on the first node. */
  readonly processes: number | undefined;
}

/** What of the settings decides how it is started. */
interface Toolkit {
  readonly key: string;
  readonly command: string;
  readonly settings: Fields;
}

/** Where a job says what it starts. */
export const TOOLKITS: readonly string[] = [
  "customToolkitSettings",
  "customMpiSettings",
  "horovodSettings",
  "chainerSettings",
  "cntkSettings",
  "pyTorchSettings",
  "tensorFlowSettings",
  "caffe2Settings",
  "caffeSettings",
];

/** Toolkits whose programs find each other by their number, one on each node. */
const BY_NUMBER: ReadonlySet<string> = new Set(["pyTorchSettings", "caffe2Settings"]);

/** The actions, each of which begins with `preamble`. */
export function launch(job: Fields, preamble: string, notes: string[]): Launch {
  const nodes = asNumber(job["nodeCount"]) ?? 1;
  const toolkit = toolkitOf(job, notes);
  const preparation = asText(asMap(job["jobPreparation"])["commandLine"]);
  if (preparation !== undefined && nodes > 1)
    notes.push(
      "The preparation runs on the first node only; what every node needs belongs into the image or into `start`.",
    );
  if (toolkit === undefined) {
    notes.push("The job names no toolkit, so it only has its preparation.");
    return { actions: [`${preamble}${preparation ?? "true"}`], processes: undefined };
  }
  const processes = processesOf(toolkit, nodes);
  rolesNote(toolkit, notes);
  if (processes !== undefined && nodes > 1)
    notes.push(
      "Intel MPI gives the variables to all nodes; for Open MPI add `-x NAME` for each that the program reads.",
    );
  const command = processes === undefined ? toolkit.command : mpi(toolkit, processes, nodes);
  return {
    actions: [preparation, command].flatMap((each) =>
      each === undefined ? [] : `${preamble}${each}`,
    ),
    processes,
  };
}

function toolkitOf(job: Fields, notes: string[]): Toolkit | undefined {
  const [key, ...others] = TOOLKITS.filter((each) => Object.keys(asMap(job[each])).length > 0);
  if (key === undefined) return undefined;
  if (others.length > 0) notes.push(`Only \`${key}\` is started, and not ${others.join(", ")}.`);
  const settings = asMap(job[key]);
  return { key, settings, command: commandOf(key, settings) };
}

function commandOf(key: string, settings: Fields): string {
  const given = asText(settings["commandLine"]);
  if (given !== undefined) return given;
  const parameters =
    asText(settings["masterCommandLineArgs"]) ?? asText(settings["commandLineArgs"]);
  const config = asText(settings["configFilePath"]);
  const script = asText(settings["pythonScriptFilePath"]) ?? "";
  const python = asText(settings["pythonInterpreterPath"]) ?? "python";
  const program =
    config === undefined
      ? `${python} ${script}`
      : key === "caffeSettings"
        ? `caffe train --solver=${config}`
        : `cntk configFile=${config}`;
  return parameters === undefined ? program : `${program} ${parameters}`;
}

function processesOf({ key, settings }: Toolkit, nodes: number): number | undefined {
  const count = asNumber(settings["processCount"]);
  if (key === "customToolkitSettings" || key === "tensorFlowSettings") return undefined;
  return count ?? (nodes > 1 ? nodes : undefined);
}

function mpi({ key, command }: Toolkit, processes: number, nodes: number): string {
  const hosts = nodes > 1 ? ' --hostfile "$AZ_BATCHAI_MPI_HOST_FILE"' : "";
  const start = `mpirun -n ${processes}${hosts}`;
  if (!BY_NUMBER.has(key)) return `${start} ${command}`;
  const number = 'export AZ_BATCHAI_TASK_INDEX="${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"';
  return `${start} sh -c '${`${number}; exec ${command}`.replaceAll("'", "'\\''")}'`;
}

/** Parameter servers and workers are programs of their own, which a task of flow starts itself. */
function rolesNote({ settings }: Toolkit, notes: string[]): void {
  const roles = [
    ["workers", settings["workerCount"], settings["workerCommandLineArgs"]],
    [
      "parameter servers",
      settings["parameterServerCount"],
      settings["parameterServerCommandLineArgs"],
    ],
  ] as const;
  for (const [role, count, parameters] of roles)
    if (asNumber(count) !== undefined && asText(parameters) !== undefined)
      notes.push(
        `Only the master is started; start the ${role} (${String(count)}) from it on the hosts in FLOW_HOSTFILE, with: ${String(parameters)}`,
      );
}
