// The keys of a task as a zod schema. Descriptions become the reference.

import * as z from "zod";
import type { TaskEntry } from "./flow-file.ts";
import { amount, envMap, flag, oneOrMany, scalar } from "./parts.ts";

const command = z.string().describe("A shell command.");

const exitCode = z.int().min(0).max(255);

const argv = z.array(scalar).describe("A program and its arguments, started without a shell.");

const actionMap = z.strictObject({
  run: z.string().optional().describe("A shell command."),
  exec: z
    .union([z.string(), z.array(scalar)])
    .optional()
    .describe("A program and its arguments."),
  script: z
    .string()
    .optional()
    .describe("A script; its first line may name an interpreter (`#!`)."),
  cwd: z.string().optional().describe("Working directory of this action."),
  env: envMap.optional().describe("Environment variables of this action."),
  timeout: amount.optional().describe("How long this action may run."),
  ok_exit: oneOrMany(exitCode)
    .optional()
    .describe("Exit codes that count as success; 0 by default."),
  stdin: z.string().optional().describe("A file that is its standard input; it counts as a dep."),
  shell: z.enum(["sh", "bash"]).optional().describe("The shell of this action."),
});

const action = z.union([command, argv, actionMap]);

const actions = z.union([z.array(action), command, actionMap]);

const dep = z.union([
  z
    .string()
    .describe(
      "A path; `dir/` is a directory with all it holds; `*`, `?`, `[ ]`, `{ }` make a glob.",
    ),
  z.strictObject({
    path: z.string().optional().describe("A path that is never a glob."),
    check: z
      .enum(["content", "mtime", "size"])
      .optional()
      .describe("What counts as a change; `content` by default."),
    optional: flag.optional().describe("May be missing."),
    external: flag.optional().describe("May lie outside the project root."),
    file: z.string().optional().describe("A YAML or JSON file of which only `keys` count."),
    keys: oneOrMany(z.string()).optional().describe("Dotted keys of `file`."),
    task: z
      .string()
      .optional()
      .describe("A task whose targets are the dependency; `name[*]` gathers all members."),
    target: z.string().optional().describe("The name or path of one target of `task`."),
    where: z
      .string()
      .optional()
      .describe("An expression over the axes of `task` that selects members."),
    best: z
      .string()
      .optional()
      .describe("`max metrics.val.acc`: of the members only the best one, once all have ended."),
    per: oneOrMany(z.string())
      .optional()
      .describe("Axes of `task`: the best one for each of their values."),
  }),
]);

const target = z.union([
  z.string().describe("A path; a trailing `/` makes it a directory."),
  z.strictObject({
    path: z.string().describe("The path; a trailing `/` makes it a directory."),
    nonempty: flag.optional().describe("An empty one is a failure."),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, "must be 64 hex digits")
      .optional()
      .describe("The content it must have."),
    optional: flag.optional().describe("May be missing after success."),
    update: flag.optional().describe("Left in place when the task runs again."),
    keep: z
      .literal("until_used")
      .optional()
      .describe(
        "Removed once every task that uses it is done; made again when one of them needs it again.",
      ),
  }),
]);

const metric = z.strictObject({
  stdout: z
    .string()
    .optional()
    .describe("A regular expression with named groups, applied to each line of output."),
  json: z.string().optional().describe("A JSON file with the final metrics."),
  jsonl: z.string().optional().describe("A glob of files with one JSON object per line."),
});

const retries = z.union([
  amount.describe("The number of further tries."),
  z.strictObject({
    max: amount.optional().describe("The number of further tries."),
    for: oneOrMany(z.string())
      .optional()
      .describe(
        "Causes that are tried again: `oom gpu_oom preempted lost timeout exit:N`; any by default.",
      ),
    backoff: amount
      .optional()
      .describe("Wait before a try: `10s`, or `5s..2m`, which doubles up to the second."),
    escalate: z
      .record(z.string(), z.record(z.string(), amount))
      .optional()
      .describe("By cause, what to multiply for the next try: `{oom: {mem: x2}}`."),
  }),
]);

const resources = z.strictObject({
  cpus: amount.optional().describe("Cpus, also fractions."),
  mem: amount.optional().describe("Memory, `6GB`."),
  gpus: amount.optional().describe("GPUs; a fraction shares one."),
  gpu_mem: amount.optional().describe("Memory on each GPU."),
  gpu_model: z.string().optional().describe("A GPU model to run on."),
  else_cpus: amount.optional().describe("Cpus to use instead where there is no GPU."),
  disk: amount.optional().describe("Scratch space."),
  time: amount.optional().describe("The run time to ask of a scheduler."),
  nodes: amount.optional().describe("Number of nodes."),
  mpi: z
    .strictObject({ processes: amount.describe("Their number.") })
    .optional()
    .describe("Processes over all nodes."),
});

const sweep = z.strictObject({
  method: z
    .enum(["grid", "random", "list", "external"])
    .optional()
    .describe(
      "How trials are found: every combination (default), drawn, listed, or thought up by another program.",
    ),
  command: z
    .union([z.string(), z.array(scalar)])
    .optional()
    .describe("For `external`: the program that is asked for trials and told what they came to."),
  batch: amount
    .optional()
    .describe("For `external`: trials that are asked for and run at once; 1."),
  trials: amount.optional().describe("How many are drawn; raising it adds further ones."),
  seed: amount.optional().describe("What the draws depend on; 0 by default."),
  params: z
    .unknown()
    .optional()
    .describe(
      "Name to values: a list, a range `1..5`, and for `random` also `uniform(0, 1)`, `loguniform(1e-5, 1e-1)`, `quniform(0, 1, 0.25)`, `int(1, 8)`, `choice(a, b)`. For `list` a list of maps.",
    ),
  objective: z.string().optional().describe("`max metrics.val.acc` or `min metrics.loss`."),
  stop: z
    .union([
      z.enum(["median", "asha"]),
      z.strictObject({
        median: z
          .strictObject({
            after: amount.optional().describe("The first step at which a trial may end; 1."),
            trials: amount.optional().describe("How many others must have come as far; 3."),
          })
          .optional()
          .describe("Ends trials below the median of the others."),
      }),
      z.strictObject({
        asha: z
          .strictObject({
            min: amount.optional().describe("The first rung, in steps; 1."),
            max: amount.optional().describe("Where trials are no longer judged."),
            eta: amount.optional().describe("One in so many goes on at a rung; 3."),
          })
          .optional()
          .describe("Successive halving: at each rung the best go on."),
      }),
    ])
    .optional()
    .describe("When poor trials are ended early."),
});

const block = z.record(z.string(), z.unknown());

const identity = {
  desc: z.string().optional().describe("What the task does, in one line."),
  tags: oneOrMany(z.string()).optional().describe("Words for the selector `tag:x`."),
  alias: oneOrMany(z.string()).optional().describe("Further names."),
  hidden: flag.optional().describe("Not listed and not run unless asked for or needed."),
  matrix: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      "Axes (name to a list or a range `1..5`), one member per combination; also `zip`, `include`, `exclude`, `max_parallel`, `fail_fast`.",
    ),
  sweep: sweep.optional().describe("A search over parameters: one member per trial."),
  each: z.string().optional().describe("A task whose matrix this one takes over."),
};

const inputs = {
  deps: z
    .union([z.array(dep), dep, z.record(z.string(), oneOrMany(dep))])
    .optional()
    .describe("What the task reads: a list, or a map by name that gives `${{ deps.name }}`."),
  after: oneOrMany(z.string()).optional().describe("Tasks done first; order only."),
  uses: z
    .record(
      z.string(),
      z.union([
        z.string(),
        z.strictObject({
          task: z.string().describe("The task that saves it."),
          key: z.string().optional().describe("Its dotted key; all values by default."),
        }),
      ]),
    )
    .optional()
    .describe("Values saved by other tasks: name to `task.key`."),
  track: z
    .strictObject({
      env: oneOrMany(z.string()).optional().describe("Environment variables."),
      cmd: oneOrMany(z.string()).optional().describe("Commands whose output counts."),
      text: oneOrMany(scalar).optional().describe("Any text."),
    })
    .optional()
    .describe("Further things whose change makes the task stale."),
};

const outputs = {
  targets: z
    .union([z.array(target), target, z.record(z.string(), target)])
    .optional()
    .describe("What the task makes: a list, or a map by name that gives `${{ targets.name }}`."),
  outputs: z
    .union([z.string(), z.array(z.string()), z.record(z.string(), z.string().nullable())])
    .optional()
    .describe("Named output directories, each also `FLOW_OUTPUT_<ID>`."),
  checkpoint: z
    .union([
      flag,
      z.string(),
      z.strictObject({
        path: z.string().optional().describe("Its place; inside `.flow/` by default."),
        keep: flag.optional().describe("Kept after success."),
      }),
    ])
    .optional()
    .describe("A directory that is kept over attempts: `true`, a path, or `{path, keep}`."),
  metrics: oneOrMany(metric)
    .optional()
    .describe("Where metrics of a program that does not know flow are found."),
  values: z.string().optional().describe("A JSON file whose keys other tasks can use."),
  protect: flag.optional().describe("`clean` needs `--force`."),
};

const work = {
  actions: actions.optional().describe("Commands, run in order; a task without groups others."),
  finally: actions.optional().describe("Commands run after the actions, whatever came of them."),
  env: envMap.optional().describe("Environment variables; part of the recipe."),
  cwd: z.string().optional().describe("Working directory; the flow file's folder by default."),
  interactive: flag.optional().describe("Uses the terminal and runs alone."),
  budget: oneOrMany(z.string())
    .optional()
    .describe("Parameters outside the fingerprint; raising one continues from the checkpoint."),
};

const freshness = {
  always: flag.optional().describe("Runs every time."),
  frozen: flag.optional().describe("Never runs while its targets exist."),
  fresh: z.string().optional().describe("A command; exit code 0 says that the task is fresh."),
};

const policy = {
  when: z
    .union([z.string(), z.boolean()])
    .optional()
    .describe("An expression; the task is left out when it is false."),
  require: oneOrMany(
    z.union([
      z.string(),
      z.strictObject({
        check: z.string().describe("The expression."),
        message: z.string().optional().describe("What the failure says."),
      }),
    ]),
  )
    .optional()
    .describe("Expressions that must hold, else the task fails with the message."),
  retries: retries.optional().describe("Further tries after a failure."),
  requeue: z
    .enum(["auto", "always", "never"])
    .optional()
    .describe("What happens when the program asks to be run again, or was interrupted."),
  requeue_codes: oneOrMany(exitCode)
    .optional()
    .describe("Exit codes that ask for it, beside 75, 85 and 99."),
  max_requeues: amount.optional().describe("How often at most; no limit by default."),
  requeue_delay: amount.optional().describe("Wait before it runs again."),
  timeout: amount.optional().describe("How long an attempt may run."),
  hang_after: amount.optional().describe("No output, event or checkpoint for this long is a hang."),
  stop: z
    .strictObject({
      signal: z
        .string()
        .optional()
        .describe("The signal that asks for a stop; SIGTERM by default."),
      grace: amount.optional().describe("Time until it is killed; 30s by default."),
    })
    .optional()
    .describe("How a running program is stopped."),
  allow_failure: flag.optional().describe("A failure does not fail the run."),
  priority: amount.optional().describe("Higher starts first among the ready ones."),
};

const placement = {
  resources: resources.optional().describe("What the task needs while it runs."),
  pools: z
    .union([z.string(), z.array(z.string()), z.record(z.string(), amount)])
    .optional()
    .describe("Pools it holds while it runs: names, or name to amount."),
  backend: z.string().optional().describe("Where it runs; `local` by default."),
  container: z.string().optional().describe("A container image."),
  mounts: z
    .record(z.string(), z.string())
    .optional()
    .describe("Mounts by name, each `FLOW_MOUNT_<NAME>`."),
  clean: z
    .union([z.enum(["targets", "none"]), z.array(action)])
    .optional()
    .describe("What `clean` does: removes the targets (default), nothing, or runs these actions."),
  local: block.optional().describe("Options of the backend `local`."),
  gpu: block.optional().describe("Options of the backend `gpu`."),
  slurm: block.optional().describe("Options of the backend `slurm`."),
  "azure-batch": block.optional().describe("Options of the backend `azure-batch`."),
};

const task = z.strictObject({
  ...identity,
  ...inputs,
  ...outputs,
  ...work,
  ...freshness,
  ...policy,
  ...placement,
});

/** Checks the shape of one task, or of `defaults:`. */
export const taskSchema: z.ZodType<TaskEntry> = task;
