// A job of Azure Batch AI as a task on Azure Batch: nodes, shares, named outputs, container, and the command line that Batch
// AI made of a toolkit's settings.

import {
  asMap,
  asMaps,
  asNumber,
  asText,
  compact,
  type Fields,
  type Imported,
  nameFrom,
} from "./imported.ts";
import { launch, TOOLKITS } from "./batch-ai-launch.ts";
import { type Known, leftOut } from "./left-out.ts";

export const isBatchAi = (document: Fields): boolean =>
  asNumber(asMap(document["properties"])["nodeCount"]) !== undefined;

const TOOLKIT: Known = {
  commandLine: true,
  commandLineArgs: true,
  configFilePath: true,
  languageType: true,
  masterCommandLineArgs: true,
  parameterServerCommandLineArgs: true,
  parameterServerCount: true,
  processCount: true,
  pythonInterpreterPath: true,
  pythonScriptFilePath: true,
  workerCommandLineArgs: true,
  workerCount: true,
};

const MOUNTED = { accountName: true, credentials: true, relativeMountPath: true } as const;

/** Keys that are carried over, or of which a sentence says what became of them. */
const KNOWN: Known = {
  $schema: true,
  properties: {
    schedulingPriority: true,
    cluster: true,
    nodeCount: true,
    mountVolumes: {
      azureFileShares: { ...MOUNTED, azureFileUrl: true, fileMode: true, directoryMode: true },
      azureBlobFileSystems: { ...MOUNTED, containerName: true, mountOptions: true },
      fileServers: {
        fileServer: true,
        sourceDirectory: true,
        relativeMountPath: true,
        mountOptions: true,
      },
      unmanagedFileSystems: { mountCommand: true, relativeMountPath: true },
    },
    containerSettings: {
      imageSourceRegistry: { serverUrl: true, image: true, credentials: true },
      shmSize: true,
    },
    ...Object.fromEntries(TOOLKITS.map((key) => [key, TOOLKIT])),
    jobPreparation: { commandLine: true },
    stdOutErrPathPrefix: true,
    inputDirectories: { id: true, path: true },
    outputDirectories: { id: true, pathPrefix: true, pathSuffix: true },
    environmentVariables: { name: true, value: true },
    secrets: { name: true, value: true, valueSecretReference: true },
    constraints: { maxWallClockTime: true },
  },
};

interface Mount {
  readonly name: string;
  readonly path: string;
  readonly body: Fields;
}

/** Root of the mounts of a job, and that of its cluster, whose mounts have to be declared here. */
const ROOT = /^\$(\{)?AZ_BATCHAI_(JOB_)?MOUNT_ROOT\}?\/?/;

/** Unlike the variables that flow sets, these follow from others on the node. */
const DERIVED: Readonly<Record<string, string>> = {
  AZ_BATCHAI_MOUNT_ROOT: '"$AZ_BATCHAI_JOB_MOUNT_ROOT"',
  AZ_BATCHAI_JOB_TEMP: '"$FLOW_TMP_DIR"',
  AZ_BATCHAI_SHARED_JOB_TEMP: '"$FLOW_OUTPUT_DIR/shared"; mkdir -p "$AZ_BATCHAI_SHARED_JOB_TEMP"',
  AZ_BATCHAI_PYTORCH_INIT_METHOD: '"tcp://$MASTER_ADDR:$MASTER_PORT"',
};

export function importBatchAi(document: Fields, folder: string): Imported {
  const job = asMap(document["properties"]);
  const notes: string[] = [
    "A Batch AI job does not say whose it is: set the parameters `account`, `region`, `storage` and `vm_size`.",
  ];
  const mounts = [...mountsOf(asMap(job["mountVolumes"]), notes)];
  const place = placing(mounts, notes);
  const outputs = asMaps(job["outputDirectories"]);
  const stdouterr = asText(job["stdOutErrPathPrefix"]);
  const state = asText(outputs[0]?.["pathPrefix"]);
  const statePlace = state === undefined ? undefined : place(state);
  const outputPlace = stdouterr === undefined ? undefined : place(stdouterr);
  const started = launch(job, preamble(job), notes);
  const limit = limitOf(asMap(job["constraints"]), notes);
  outputsNote(outputs, notes);
  if (job["cluster"] !== undefined)
    notes.push(
      "The cluster is left out: flow makes a pool for each run; `pool: {id: NAME}` names one that is there.",
    );
  const secrets = asMaps(job["secrets"]).flatMap(({ name }) => asText(name) ?? []);
  if (secrets.length > 0)
    notes.push(`Its secrets are taken from the environment of flow: ${secrets.join(", ")}.`);
  const file = compact({
    version: 1,
    name: nameFrom(folder, "batch-ai"),
    compat: ["batchai"],
    params: {
      account: { type: "string", default: "myaccount", help: "the Batch account" },
      region: { type: "string", default: "westeurope" },
      storage: { type: "string", default: "mystorage", help: "the storage account" },
      vm_size: { type: "string", default: "standard_d2s_v3", help: "the size of the nodes" },
    },
    secrets,
    backends: {
      azure: compact({
        type: "azure-batch",
        endpoint: "https://${{ params.account }}.${{ params.region }}.batch.azure.com",
        storage: { account: "${{ params.storage }}" },
        vm_size: "${{ params.vm_size }}",
        registries: registriesOf(asMap(job["containerSettings"]), notes),
        mounts: Object.fromEntries(mounts.map(({ name, body }) => [name, body])),
        state: statePlace?.split("/")[0],
        stdouterr: outputPlace,
        max_time: limit === undefined || limit <= DAY_S ? undefined : `${limit + HOUR_S}s`,
      }),
    },
    tasks: { job: taskOf(job, started, limit, notes) },
  });
  return { file, notes: [...notes, ...leftOut(document, KNOWN)] };
}

/** What Batch AI let be apart lies in one place, by the outputs' names. */
function outputsNote(outputs: readonly Fields[], notes: string[]): void {
  const [first] = outputs;
  for (const { id, pathPrefix, pathSuffix } of outputs) {
    const [name, suffix] = [asText(id) ?? "", asText(pathSuffix)];
    if (suffix !== undefined && suffix !== name)
      notes.push(`The output ${name} lies in a folder of that name, not in \`${suffix}\`.`);
    if (pathPrefix !== first?.["pathPrefix"])
      notes.push(
        `The output ${name} lies beside ${asText(first?.["id"]) ?? ""}, not in \`${String(pathPrefix)}\`.`,
      );
  }
}

function taskOf(
  job: Fields,
  started: ReturnType<typeof launch>,
  limit: number | undefined,
  notes: string[],
): Fields {
  const nodes = asNumber(job["nodeCount"]) ?? 1;
  const outputs = asMaps(job["outputDirectories"]).flatMap(({ id }) => asText(id) ?? []);
  const variables = asMaps(job["environmentVariables"]).map(({ name, value }) => [name, value]);
  const { processes } = started;
  const resources = compact({
    nodes: nodes > 1 ? nodes : undefined,
    mpi: nodes > 1 && processes !== undefined ? { processes } : undefined,
  });
  return compact({
    backend: "azure",
    container: imageOf(asMap(job["containerSettings"]), notes),
    resources,
    env: Object.fromEntries(variables) as Fields,
    outputs: Object.fromEntries(outputs.map((id) => [id, ""])),
    timeout: limit === undefined ? undefined : `${limit}s`,
    priority: PRIORITIES[asText(job["schedulingPriority"]) ?? ""],
    actions: started.actions,
  });
}

const PRIORITIES: Readonly<Record<string, number>> = { low: -1, high: 1 };

/** Lines that set what programs of Batch AI may use and flow does not set, as far as the job names it. */
function preamble(job: Fields): string {
  const text = JSON.stringify(job);
  const named = Object.entries(DERIVED).filter(([name]) => new RegExp(`\\b${name}\\b`).test(text));
  const inputs = asMaps(job["inputDirectories"]).flatMap(({ id, path }) => {
    const [name, value] = [asText(id), asText(path)];
    return name === undefined || value === undefined
      ? []
      : [[`AZ_BATCHAI_INPUT_${name}`, `"${value}"`] as const];
  });
  return [...named, ...inputs].map(([name, value]) => `export ${name}=${value}\n`).join("");
}

const isPlaceholder = (account: string): boolean => account.startsWith("<");

function* mountsOf(volumes: Fields, notes: string[]): Generator<Mount> {
  if (JSON.stringify(volumes).includes('"credentials"'))
    notes.push(
      "Keys of mounts are not carried over: that of the storage account is taken from AZURE_STORAGE_KEY.",
    );
  const mount = (value: unknown, body: Fields): Mount => {
    const path = asText(value) ?? "data";
    const name = nameFrom(path, "data");
    return { name, path, body: compact({ ...body, path: path === name ? undefined : path }) };
  };
  const other = (account: string | undefined): string | undefined =>
    account === undefined || isPlaceholder(account) ? undefined : account;
  for (const each of asMaps(volumes["azureFileShares"])) {
    const [, account, share] =
      /^https:\/\/([^./]+)\.[^/]+\/(.+?)\/?$/.exec(asText(each["azureFileUrl"]) ?? "") ?? [];
    const modes = [
      ["file_mode", asText(each["fileMode"])],
      ["dir_mode", asText(each["directoryMode"])],
    ].flatMap(([name, mode]) => (mode === undefined ? [] : [`${name}=${mode}`]));
    const body = {
      files: share ?? "share",
      account: other(account ?? asText(each["accountName"])),
      options: modes.length === 0 ? undefined : `-o ${modes.join(",")}`,
    };
    yield mount(each["relativeMountPath"], body);
  }
  for (const each of asMaps(volumes["azureBlobFileSystems"])) {
    const body = {
      blob: asText(each["containerName"]) ?? "container",
      account: other(asText(each["accountName"])),
      options: asText(each["mountOptions"]),
    };
    yield mount(each["relativeMountPath"], body);
  }
  for (const each of asMaps(volumes["fileServers"])) {
    const found = mount(each["relativeMountPath"], {
      nfs: `SERVER:${asText(each["sourceDirectory"]) ?? "/"}`,
      options: asText(each["mountOptions"]),
    });
    notes.push(`Put the address of the file server into the mount \`${found.name}\`, for SERVER.`);
    yield found;
  }
  for (const each of asMaps(volumes["unmanagedFileSystems"])) {
    const command = asText(each["mountCommand"]) ?? "";
    const [, source] = /\s(\S+:\/\S*)/.exec(command) ?? [];
    const path = asText(each["relativeMountPath"]) ?? "";
    const [options] = /-o\s+\S+/.exec(command) ?? [];
    if (source !== undefined && /nfs/.test(command)) yield mount(path, { nfs: source, options });
    else notes.push(`The mount \`${path}\` is left out: flow has no way to say \`${command}\`.`);
  }
}

/** Finds the mount of a path; one of the cluster, which the job does not declare, is added as a share. */
function placing(mounts: Mount[], notes: string[]): (path: string) => string | undefined {
  return (path) => {
    if (!ROOT.test(path)) {
      notes.push(`\`${path}\` is not on a mount, so it is left out.`);
      return undefined;
    }
    const inside = path.replace(ROOT, "").replace(/\/+$/, "");
    const covers = (each: Mount): boolean => `${inside}/`.startsWith(`${each.path}/`);
    let found = mounts.find(covers);
    if (found === undefined) {
      const [first = "data"] = inside.split("/");
      found = { name: nameFrom(first, "data"), path: first, body: { files: first } };
      mounts.push(found);
      notes.push(
        `The cluster had something mounted at \`${first}\`; here it is the file share of that name.`,
      );
    }
    return `${found.name}${inside.slice(found.path.length)}`;
  };
}

function imageOf(container: Fields, notes: string[]): string | undefined {
  const registry = asMap(container["imageSourceRegistry"]);
  const image = asText(registry["image"]);
  const server = serverOf(registry);
  if (asText(container["shmSize"]) !== undefined)
    notes.push("`shmSize` is left out: the size of /dev/shm cannot be set.");
  return image === undefined || server === undefined ? image : `${server}/${image}`;
}

const serverOf = (registry: Fields): string | undefined =>
  asText(registry["serverUrl"])
    ?.replace(/^https?:\/\//, "")
    .replace(/\/+$/, "");

function registriesOf(container: Fields, notes: string[]): readonly Fields[] {
  const registry = asMap(container["imageSourceRegistry"]);
  const user = asText(asMap(registry["credentials"])["username"]);
  const server = serverOf(registry);
  if (user === undefined || server === undefined) return [];
  notes.push("The registry's password is taken from the variable REGISTRY_PASSWORD.");
  return [{ server, user, password_variable: "REGISTRY_PASSWORD" }];
}

const [HOUR_S, DAY_S] = [3600, 86_400];

/** How long the job may run, in seconds; undefined, with a note, where it does not say that in a way that is understood. */
function limitOf(constraints: Fields, notes: string[]): number | undefined {
  const text = asText(constraints["maxWallClockTime"]);
  if (text === undefined) {
    notes.push(
      "Without `maxWallClockTime` Batch AI ended a job after a week; here `max_time` of the backend does, after a day.",
    );
    return undefined;
  }
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text)?.slice(1);
  const seconds = parts
    ?.map((part, index) => Number(part ?? 0) * ([DAY_S, HOUR_S, 60, 1][index] ?? 0))
    .reduce((sum, each) => sum + each, 0);
  if (seconds !== undefined && seconds > 0) return seconds;
  notes.push(
    `\`maxWallClockTime: ${text}\` is left out: it is no duration of days, hours, minutes or seconds.`,
  );
  return undefined;
}
