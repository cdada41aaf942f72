/** `flow import`: files of Batch AI and XT as flow files. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const env = { AZURE_BATCH_ACCESS_KEY: "a2V5", AZURE_STORAGE_KEY: "a2V5" };

/** Imports `file`, writes what came to `flow.yaml`, and gives the requests of a plan. */
async function importAndPlan(name: string, text: string) {
  const folder = projectFolder({ [name]: text, "main.py": "" }, { env });
  const imported = await folder.flow("import", name);
  expect(imported).toMatchObject({ code: 0 });
  folder.write("flow.yaml", imported.stdout);
  const planned = await folder.flow("plan", "--requests");
  expect(planned, planned.stderr).toMatchObject({ code: 0 });
  return { ...imported, requests: JSON.parse(planned.stdout) };
}

const JOB = {
  properties: {
    nodeCount: 2,
    horovodSettings: {
      pythonScriptFilePath: "$AZ_BATCHAI_INPUT_SCRIPTS/train.py",
      commandLineArgs: "--out $AZ_BATCHAI_OUTPUT_MODEL",
      processCount: 4,
    },
    stdOutErrPathPrefix: "$AZ_BATCHAI_MOUNT_ROOT/external/logs",
    mountVolumes: {
      azureFileShares: [
        {
          azureFileUrl: "https://<AZURE_BATCHAI_STORAGE_ACCOUNT>.file.core.windows.net/code",
          relativeMountPath: "my/code",
        },
      ],
      azureBlobFileSystems: [
        { accountName: "other", containerName: "results", relativeMountPath: "results" },
      ],
      unmanagedFileSystems: [
        { mountCommand: "mount -t nfs 10.0.0.4:/data", relativeMountPath: "nfs" },
        { mountCommand: "mount.glusterfs host:vol", relativeMountPath: "gluster" },
      ],
    },
    inputDirectories: [{ id: "SCRIPTS", path: "$AZ_BATCHAI_JOB_MOUNT_ROOT/my/code" }],
    outputDirectories: [{ id: "MODEL", pathPrefix: "$AZ_BATCHAI_JOB_MOUNT_ROOT/results" }],
    containerSettings: {
      imageSourceRegistry: {
        serverUrl: "mine.azurecr.io",
        image: "train:1",
        credentials: { username: "me", password: "never carried over" },
      },
    },
    environmentVariables: [{ name: "SEED", value: "7" }],
    secrets: [{ name: "TOKEN", value: "never carried over" }],
    constraints: { maxWallClockTime: "P1DT2H" },
  },
};

describe("a Batch AI job", () => {
  it("becomes a task with its nodes, mounts, outputs, image and command line", async () => {
    const { stdout, stderr } = await importAndPlan("job.json", JSON.stringify(JOB));
    const [notes = "", text = ""] = stdout.split(/^(?=version: 1$)/m);
    expect(text.slice(text.indexOf("    vm_size:"))).toBe(`    vm_size: \${{ params.vm_size }}
    registries:
      - server: mine.azurecr.io
        user: me
        password_variable: REGISTRY_PASSWORD
    mounts:
      my-code:
        files: code
        path: my/code
      results:
        blob: results
        account: other
      nfs:
        nfs: 10.0.0.4:/data
      external:
        files: external
    state: results
    stdouterr: external/logs
    max_time: 97200s
tasks:
  job:
    backend: azure
    container: mine.azurecr.io/train:1
    resources:
      nodes: 2
      mpi:
        processes: 4
    env:
      SEED: "7"
    outputs:
      MODEL: ""
    timeout: 93600s
    actions:
      - |-
        export AZ_BATCHAI_MOUNT_ROOT="$AZ_BATCHAI_JOB_MOUNT_ROOT"
        export AZ_BATCHAI_INPUT_SCRIPTS="$AZ_BATCHAI_JOB_MOUNT_ROOT/my/code"
        mpirun -n 4 --hostfile "$AZ_BATCHAI_MPI_HOST_FILE" python $AZ_BATCHAI_INPUT_SCRIPTS/train.py --out $AZ_BATCHAI_OUTPUT_MODEL
`);
    expect(notes).toBe(`# From job.json.
# A Batch AI job does not say whose it is: set the parameters \`account\`, \`region\`, \`storage\` and \`vm_size\`.
# The mount \`gluster\` is left out: flow has no way to say \`mount.glusterfs host:vol\`.
# The cluster had something mounted at \`external\`; here it is the file share of that name.
# Intel MPI gives the variables to all nodes; for Open MPI add \`-x NAME\` for each that the program reads.
# Its secrets are taken from the environment of flow: TOKEN.
# The registry's password is taken from the variable REGISTRY_PASSWORD.
`);
    expect(stderr).toBe(notes.replace("# From job.json.\n", "").replaceAll(/^# /gm, "flow: "));
    expect(stdout).not.toContain("never carried over");
  });
});

/** What is rare in a job, or has no meaning in flow. */
const RARE = {
  location: "eastus",
  properties: {
    schedulingPriority: "high",
    cluster: { id: "/subscriptions/0/clusters/mine" },
    nodeCount: 1,
    pyTorchSettings: { pythonScriptFilePath: "a.py", communicationBackend: "gloo" },
    customToolkitSettings: { commandLine: "true" },
    stdOutErrPathPrefix: "$AZ_BATCHAI_JOB_MOUNT_ROOT/share",
    mountVolumes: {
      azureFileShares: [
        {
          accountName: "mine",
          azureFileUrl: "https://mine.file.core.windows.net/share",
          credentials: { accountKey: "never carried over" },
          relativeMountPath: "share",
          fileMode: "0644",
          directoryMode: "0755",
          cache: "strict",
        },
      ],
      unmanagedFileSystems: [
        { mountCommand: "mount -t nfs -o ro,hard 10.0.0.4:/data", relativeMountPath: "nfs" },
      ],
    },
    outputDirectories: [
      { id: "MODEL", pathPrefix: "$AZ_BATCHAI_JOB_MOUNT_ROOT/share", pathSuffix: "Models" },
      { id: "LOGS", pathPrefix: "$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs" },
    ],
    constraints: { maxRetries: 3 },
  },
};

describe("what a Batch AI job says rarely", () => {
  it("is carried over where it has a meaning, and named where it has none", async () => {
    const { stdout } = await importAndPlan("job.json", JSON.stringify(RARE));
    expect(stdout).toContain(`    mounts:
      share:
        files: share
        account: mine
        options: -o file_mode=0644,dir_mode=0755
      nfs:
        nfs: 10.0.0.4:/data
        options: -o ro,hard
`);
    expect(stdout).toContain("    priority: 1\n");
    expect(stdout).not.toContain("never carried over");
    expect(stdout.match(/^# .*$/gm)?.slice(2)).toEqual([
      "# Keys of mounts are not carried over: that of the storage account is taken from AZURE_STORAGE_KEY.",
      "# Only `customToolkitSettings` is started, and not pyTorchSettings.",
      "# Without `maxWallClockTime` Batch AI ended a job after a week; here `max_time` of the backend does, after a day.",
      "# The output MODEL lies in a folder of that name, not in `Models`.",
      "# The output LOGS lies beside MODEL, not in `$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs`.",
      "# The cluster is left out: flow makes a pool for each run; `pool: {id: NAME}` names one that is there.",
      "# Left out: location.",
      "# Left out of `properties.pyTorchSettings`: communicationBackend.",
      "# Left out of `properties.mountVolumes.azureFileShares`: cache.",
      "# Left out of `properties.constraints`: maxRetries.",
    ]);
  });
});

const official = process.env["FLOW_AZURE_OPENAPI"] ?? "";
const reason = official === "" ? " [FLOW_AZURE_OPENAPI does not name the official data]" : "";

describe.runIf(reason === "")(`the recipes of Batch AI${reason}`, () => {
  const recipes = join(official, "batchai-recipes/recipes");
  const files =
    reason === ""
      ? readdirSync(recipes, { recursive: true, encoding: "utf8" }).filter((path) =>
          path.endsWith(".json"),
        )
      : ["none"];

  it.each(files)("%s is imported and planned", async (path) => {
    const text = readFileSync(join(recipes, path), "utf8");
    const { properties } = JSON.parse(text);
    const { requests } = await importAndPlan("job.json", text);
    const [{ tasks }] = requests.azure;
    expect(tasks).toHaveLength(1);
    const nodes = tasks[0].multiInstanceSettings?.numberOfInstances ?? 1;
    expect(nodes).toBe(properties.nodeCount);
  });
});

const XT = `
external-services:
  mybatch: { type: batch, key: "$vault", url: "https://mybatch.westus2.batch.azure.com" }
  mystore: { type: storage, provider: azure-blob-21, key: "$vault" }
  myaml: { type: aml, subscription-id: x }
xt-services: { storage: mystore, target: batch }
compute-targets:
  batch: { service: mybatch, vm-size: Standard_D2s_v3, nodes: 3, low-pri: true, setup: py36 }
  local: { service: pool, boxes: [localhost, rack7], setup: local }
  aml: { service: myaml, compute: x }
setups:
  py36: { activate: "conda activate py36", pip-packages: ["torch==1.2.0", "xtlib==*"] }
general: { workspace: ws1, experiment: exper5 }
code: { code-omit: [output] }
hyperparameter-search: {}
`;

describe("an XT configuration", () => {
  it("becomes backends, names and a task for the program", async () => {
    const { stdout, requests } = await importAndPlan("xt_config.yaml", XT);
    expect(stdout).toContain(`workspace: ws1
experiment: exper5
compat:
  - xt
params:
  script:
    type: string
    default: main.py
    help: what \`xt run\` was given
backends:
  batch:
    type: azure-batch
    endpoint: https://mybatch.westus2.batch.azure.com
    storage:
      account: mystore
    vm_size: standard_d2s_v3
    nodes: 3
    priority: low
    start: python3 -m pip install 'torch==1.2.0'
  local:
    type: local
defaults:
  backend: batch
code:
  omit:
    - output
`);
    expect(stdout.match(/^# .*$/gm)).toEqual([
      "# From xt_config.yaml.",
      "# `conda activate py36` of `batch` is left out: its nodes run what `start` installs.",
      "# The boxes rack7 of `local` are left out: it runs on this machine.",
      "# The compute target `aml` is left out: flow has no backend for `aml`.",
      "# Keys are not carried over: they are taken from AZURE_BATCH_ACCESS_KEY and AZURE_STORAGE_KEY.",
      "# Left out of `external-services`, as no backend has a use for it: myaml.",
      "# Left out: hyperparameter-search.",
    ]);
    expect(requests.batch[0].job.poolInfo.autoPoolSpecification.pool.vmSize).toBe(
      "standard_d2s_v3",
    );
  });
});

/** Everything that has a meaning in flow, and some of what has none. */
const XT_FULL = `
external-services:
  mybatch: { type: batch, key: "$vault", url: "https://mybatch.westus2.batch.azure.com" }
  mystore: { type: storage, provider: azure-blob-21, key: "$vault" }
  myregistry: { type: registry, login-server: mine.azurecr.io, username: me, password: "$vault" }
xt-services: { storage: mystore, target: batch, mongo: mymongo }
compute-targets:
  batch: { service: mybatch, docker: torch, azure-image: ubuntu18, setup: py36, box-class: linux }
dockers:
  torch: { registry: myregistry, image: "torch:1" }
azure-batch-images:
  ubuntu18: { publisher: Canonical, offer: UbuntuServer, sku: 18.04-LTS, node-agent-sku-id: batch.node.ubuntu 18.04, version: latest }
setups:
  py36: { conda-packages: [cudatoolkit], pip-packages: ["torch==1.2.0"] }
  other: { pip-packages: [x] }
general: { experiment: exper5, env-vars: { SEED: 7 }, monitor: none, primary-metric: test-acc }
code: { code-dirs: ["$scriptdir/**", "extra/**", "../lib/**"], working-dir: src, code-zip: fast }
after-files: { after-dirs: ["output/**", "*.log"], after-omit: ["*.junk"] }
data: { data-local: "$scriptdir/data", data-share-path: mnist, data-action: download, data-upload: true }
model: { model-local: "$scriptdir/../models", model-share-path: mini, model-action: mount, model-writable: true }
run-reports: { last: 5 }
`;

describe("a whole XT configuration", () => {
  it("becomes images, shares, variables and targets, and what is left is named", async () => {
    const { stdout } = await importAndPlan("xt_config.yaml", XT_FULL);
    expect(stdout.slice(stdout.indexOf("env:\n"))).toBe(`env:
  SEED: "7"
backends:
  batch:
    type: azure-batch
    endpoint: https://mybatch.westus2.batch.azure.com
    storage:
      account: mystore
    vm_size: standard_d2s_v3
    image:
      publisher: Canonical
      offer: UbuntuServer
      sku: 18.04-LTS
      version: latest
      agent: batch.node.ubuntu 18.04
    start: python3 -m pip install 'torch==1.2.0'
    registries:
      - server: mine.azurecr.io
        user: me
        password_variable: REGISTRY_PASSWORD
    mounts:
      data:
        blob: 00-share-data
      model:
        blob: 00-share-models
    upload:
      data/mnist: data/mnist
defaults:
  backend: batch
code:
  include:
    - extra/**
tasks:
  run:
    desc: "What \`xt run SCRIPT\` ran: flow run -p script=SCRIPT"
    container: mine.azurecr.io/torch:1
    cwd: src
    mounts:
      data: ./data
      model: ../models
    requeue: always
    always: true
    targets:
      - path: src/output/
        optional: true
        update: true
    actions:
      - |-
        export XT_DATA_DIR="$FLOW_MOUNT_DATA/mnist" XT_DATA_MNT="$FLOW_MOUNT_DATA/mnist"
        export XT_MODEL_DIR="$FLOW_MOUNT_MODEL/mini" XT_MODEL_MNT="$FLOW_MOUNT_MODEL/mini"
        python3 \${{ params.script }}
`);
    expect(stdout.match(/^# .*$/gm)).toEqual([
      "# From xt_config.yaml.",
      "# `data` is mounted and not downloaded.",
      "# The conda packages cudatoolkit of `batch` are left out: install them with `start`, or name an image.",
      "# The registry's password is taken from the variable REGISTRY_PASSWORD.",
      "# `../lib/**` of `code-dirs` is left out: it is not in the project.",
      "# `*.log` of `after-dirs` is left out: it names no folder of the project.",
      "# Keys are not carried over: they are taken from AZURE_BATCH_ACCESS_KEY and AZURE_STORAGE_KEY.",
      "# Left out of `setups`, as no backend has a use for it: other.",
      "# Left out of `xt-services`: mongo.",
      "# Left out of `compute-targets.batch`: box-class.",
      "# Left out of `general`: monitor, primary-metric.",
      "# Left out of `code`: code-zip.",
      "# Left out of `after-files`: after-omit.",
      "# Left out of `model`: model-writable.",
      "# Left out: run-reports.",
    ]);
  });

  it("has a task for each of its commands", async () => {
    const commands = "commands: [train.py --lr=.1, python other.py]\n";
    const { stdout } = await importAndPlan("xt_config.yaml", `${XT}${commands}`);
    expect(stdout.slice(stdout.indexOf("tasks:\n"))).toBe(`tasks:
  run-1:
    desc: One of \`commands\`
    requeue: always
    actions:
      - python3 train.py --lr=.1
  run-2:
    desc: One of \`commands\`
    requeue: always
    actions:
      - python other.py
`);
  });
});

describe("a file of another kind", () => {
  it.each([
    [
      "flow.yaml",
      "version: 1\ntasks: {}\n",
      "flow: `flow.yaml` is neither a Batch AI job (`properties` with `nodeCount`) nor an XT configuration (`compute-targets`, `general`, …)\n",
    ],
    [
      "broken.yaml",
      "a: {}\n  b: 1\n",
      "flow: `broken.yaml` cannot be read: All mapping items must start at the same column at line 2, column 1\n",
    ],
  ])("is refused: %s", async (name, text, message) => {
    const folder = projectFolder({ [name]: text });
    expect(await folder.flow("import", name)).toEqual({ code: 2, stdout: "", stderr: message });
  });
});
