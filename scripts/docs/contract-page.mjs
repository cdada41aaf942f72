/** `script-contract.md`: the variables of a task's program, and what its exit means. */
import { code, GENERATED, page, table } from "./markdown.mjs";

/** Meaning by variable. `engine` gives all but those of {@link PLACE}; the script compares the names. */
const MEANINGS = {
  FLOW: "1: under flow",
  FLOW_PROTOCOL: "version of this contract",
  FLOW_RUN_ID: "the `flow run` it belongs to",
  FLOW_TASK: "readable name, with axes",
  FLOW_TASK_ID: "the task's id, the same over attempts and runs",
  FLOW_ATTEMPT_KEY: "this attempt's key",
  FLOW_ATTEMPT: "1, 2, … while the recipe and inputs stay the same",
  FLOW_RESTART_COUNT: "`FLOW_ATTEMPT` − 1",
  FLOW_RESTART_REASON:
    "`first`, `requeue`, `preempt`, `deadline`, `retry`, `host-lost`, `manual` or `promote`",
  FLOW_PROJECT_DIR: "the project's root",
  FLOW_TASK_DIR: "record folder of this attempt",
  FLOW_TMP_DIR: "scratch folder, removed afterwards",
  TMPDIR: "the same",
  FLOW_OUTPUT_DIR: "persistent over attempts",
  FLOW_OUTPUT_MODEL: "the named output `model`, if there is one (`FLOW_OUTPUT_<ID>`)",
  FLOW_CHECKPOINT_DIR: "checkpoints; survives attempts. Unset without `checkpoint:`",
  FLOW_CHECKPOINT: "the last checkpoint that was reported complete",
  FLOW_CHECKPOINT_STEP: "its step",
  FLOW_RESUME: "1 if the checkpoint directory holds something at the start, else 0",
  FLOW_MOUNT_DATA: "where the mount `data` is, if there is one (`FLOW_MOUNT_<NAME>`)",
  FLOW_PARAMS_FILE: "JSON file of parameters: name → text as written",
  FLOW_PARAM_OPTIMIZER__LR:
    "the parameter or axis `optimizer.lr` (`FLOW_PARAM_<NAME>`: upper case, a dot is `__`)",
  FLOW_INPUTS_FILE: "JSON file of named deps and used values",
  FLOW_TARGETS: "paths of the targets, one per line, relative to the root",
  FLOW_DEPS: "paths of the deps, expanded, one per line, relative to the root; unset beyond 128 kB",
  FLOW_USES_SCORE: "JSON of the used value `score` (`FLOW_USES_<NAME>`)",
  FLOW_SEED: "the parameter or axis `seed`",
  FLOW_EVENTS: "file to append [events](#events) to",
  FLOW_STOP_FILE: "this file appears when a stop is asked",
  FLOW_GRACE: "seconds between the stop request and the kill",
  FLOW_EXIT_REQUEUE: "the exit code that asks to be run again (75)",
  FLOW_CPUS: "granted cpus, if the task asks for some",
  OMP_NUM_THREADS: "the same",
  MKL_NUM_THREADS: "the same",
  OPENBLAS_NUM_THREADS: "the same",
  NUMEXPR_NUM_THREADS: "the same",
  VECLIB_MAXIMUM_THREADS: "the same",
  FLOW_MEM_MB: "granted memory, if the task asks for some",
  FLOW_GPU_MEM_MB: "GPU memory it asked for",
  FLOW_NODES: "nodes it asked for",
  FLOW_BACKEND: "name of the backend",
  PYTHONPATH: "starts with the folder of `flow_task.py`",
};

/** What only the place of execution knows. */
const PLACE = {
  FLOW_DEADLINE: "unix seconds, on this node's clock, of the kill that a time limit brings",
  FLOW_JOB_ID: "the job's id where it runs: a process id, a scheduler's number",
  FLOW_GPUS: "granted GPUs by index, with commas between; empty: none. On the `gpu` backend",
  FLOW_GPU_COUNT: "how many",
  CUDA_VISIBLE_DEVICES: "the same GPUs as CUDA wants them",
};

const EVENTS = [
  [
    "progress",
    "`done`, `total`, `unit`, `msg`; or `frac` from 0 to 1",
    "shown; counts as progress",
  ],
  ["metrics", "`v` (name → number), `step`, `ns` (prefix of the names)", "shown and recorded"],
  ["checkpoint", "`path`, `step`", "the next attempt gets them; counts as progress"],
  ["artifact", "`path`", "recorded"],
  ["tag", "`name`, `value`", "recorded; `flow runs` can choose by it"],
  ["requeue", "", "the attempt's end means: run me again"],
  ["done", "", "the work is done, even if flow kills the program afterwards"],
];

function outcomes(requeueCodes) {
  return [
    ["exit 0, and no stop was asked", "success; then the targets are checked"],
    ["a `done` event, then exit 0 or killed by flow", "success"],
    ["stopped as `pruned`", "pruned"],
    ["stopped as `user` (`flow cancel`)", "cancelled; it can be resumed"],
    [
      `exit ${requeueCodes.join(", ")} or one of \`requeue_codes\`, or a \`requeue\` event`,
      "requeued, without using up a retry",
    ],
    ["exit 0 after a stop, and all targets were made", "success"],
    ["exit 0 after a stop otherwise", "requeued"],
    ["out of memory, told by the system or by the texts of the GPU frameworks", "`oom`, `gpu_oom`"],
    [
      "taken away: preempted, node failed, time limit, host lost; or killed after a stop",
      "interrupted: runs again if a checkpoint is there or with `requeue: always`",
    ],
    ["anything else", "failed"],
  ];
}

const path = (name) => `/${name}`;

/** Facts that make the engine set every variable it can. */
function everything() {
  return {
    run: "run",
    key: "key",
    task: {
      id: "task",
      key: "task",
      axes: { seed: "1" },
      params: { "optimizer.lr": "0.1" },
      targets: [{ path: "a" }],
      mounts: { data: "data" },
      stop: { graceMs: 0 },
    },
    attempt: 2,
    reason: "retry",
    root: path("root"),
    directory: path("attempt"),
    scratch: path("tmp"),
    output: path("out"),
    outputs: { model: path("model") },
    mounts: { data: path("data") },
    checkpoint: { directory: path("ckpt"), path: path("ckpt/1"), step: 1, resume: true },
    events: path("events"),
    stopFile: path("stop"),
    paramsFile: path("params"),
    inputsFile: path("inputs"),
    stdout: path("stdout"),
    deps: ["b"],
    uses: { score: "1" },
    resources: { cpusMilli: 1000, memoryBytes: 1, gpuMemoryBytes: 1, nodes: 1 },
    backend: "local",
    compat: [],
    workspace: undefined,
    experiment: undefined,
    pythonPath: path("python"),
  };
}

function variables({ contractVariables }) {
  const names = Object.keys(contractVariables(everything())).filter(
    (name) => name !== "FLOW_PARAM_SEED",
  );
  const odd = [
    ...names.filter((name) => MEANINGS[name] === undefined),
    ...Object.keys(MEANINGS).filter((name) => !names.includes(name)),
  ];
  if (odd.length > 0)
    throw new Error(`contract-page.mjs: no meaning or no variable: ${odd.join(", ")}`);
  return Object.entries({ ...MEANINGS, ...PLACE });
}

function aliases({ contractVariables }) {
  const own = new Set(Object.keys(contractVariables(everything())));
  const sets = ["xt", "batchai", "slurm", "azbatch", "torchelastic", "wandb", "mlflow"];
  return sets.map((set) => {
    const names = Object.keys(contractVariables({ ...everything(), compat: [set] }));
    return [
      code(set),
      names
        .filter((name) => !own.has(name))
        .map(code)
        .join(", "),
    ];
  });
}

export function scriptContractPage(sources) {
  return page(
    "# What a task's program sees",
    GENERATED,
    "Files, environment variables and one exit code. A program takes part with `printf` and `test -e`; nothing of flow need be imported. [Resumable scripts](../guide/resumable-scripts.md) shows it in use, and `flow_task.py`, on the path of every Python task, wraps it.",
    "## Variables",
    "A value that does not apply is unset.",
    table(
      ["variable", "meaning"],
      variables(sources).map(([name, meaning]) => [code(name), meaning]),
    ),
    "`secrets:` passes variables of flow's own environment through; their values are never recorded.",
    "### Aliases",
    "For programs written for something else, by `compat:`; `[xt, batchai]` without it.",
    table(["`compat`", "variables"], aliases(sources)),
    "## The stop request",
    'First the file `FLOW_STOP_FILE` appears, whole: `{"reason":"preempt",…}` with a reason out of `deadline`, `preempt`, `user`, `pruned`, `hung`, `shutdown`. Then the program gets the signal `stop.signal` (SIGTERM). After `stop.grace` its whole process tree is killed.',
    "## Exit classification",
    "The first line that fits decides.",
    table(["what happened", "what it means"], outcomes(sources.REQUEUE_CODES)),
    "Guards: `max_requeues`, and three requeues in a row without progress (a newer checkpoint, a progress event, or a change in the checkpoint directory), make it failed.",
    "## Events",
    "One JSON object per line appended to `FLOW_EVENTS`, at most 4096 bytes, its kind in `k`. One writer per file; further writers use `events.1.jsonl`, … beside it. Unknown kinds are kept, a torn last line is ignored. A line `::flow {…}` on standard output says the same.",
    table(
      ["`k`", "members", "effect"],
      EVENTS.map(([kind, ...rest]) => [code(kind), ...rest]),
    ),
    '```json\n{"k":"progress","done":3,"total":10,"unit":"epochs"}\n{"k":"metrics","step":3,"v":{"loss":0.12}}\n{"k":"checkpoint","path":"step-3.bin","step":3}\n```',
    "Metrics of a program that writes no events are found with `metrics:` in the flow file.",
  );
}
