// The verbs of `flow azure`.

import type { FoundFile, NodeRow, PoolRow } from "@flow/backend-azure/manage";
import {
  type AttemptKey,
  attemptKey,
  formatBytes,
  lastAttempt,
  layout,
  nodeFileSystem,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { liveRuns } from "../record/runs.ts";
import {
  accountOf,
  type AzureCall,
  type AzureVerb,
  done,
  misused,
  numberOf,
  show,
} from "./verb.ts";

const pool: AzureVerb = {
  async run(call) {
    const [action = "list", ...rest] = call.args;
    if (action === "list") return listPools(call);
    if (action === "create") return createPool(call, rest);
    if (action === "resize") return resizePool(call, rest);
    if (action === "delete") return deletePool(call, rest);
    return misused(
      call,
      `\`flow azure pool\` has list, create, resize and delete, not \`${action}\``,
    );
  },
};

async function listPools(call: AzureCall): Promise<ExitCode> {
  const account = accountOf(call);
  if (account === undefined) return EXIT.outside;
  const head = ["POOL", "OF", "SIZE", "DEDICATED", "LOW", "SLOTS", "STATE"];
  const cells = (row: PoolRow): readonly string[] => [
    row.id,
    account.isOurs(row) ? "this project" : madeBy(row),
    row.vmSize,
    `${row.dedicated}/${row.targetDedicated}`,
    `${row.lowPriority}/${row.targetLowPriority}`,
    String(row.slotsPerNode),
    stateOf(row),
  ];
  return show(call, await account.pools(), head, cells, "the account has no pools");
}

/** Whose flow made it; empty for pools of others. */
const madeBy = ({ metadata }: PoolRow): string =>
  metadata.find(({ name }) => name === "flow.user")?.value ?? "";

const stateOf = ({ state, allocation, autoScale, errors }: PoolRow): string =>
  [
    state === "active" ? allocation : state,
    ...(autoScale ? ["follows its tasks"] : []),
    ...errors.map(({ code, message }) => `${code}: ${message}`),
  ].join("; ");

async function createPool(call: AzureCall, [id, more]: readonly string[]): Promise<ExitCode> {
  const { invocation } = call;
  const nodes = numberOf(invocation.value("nodes"));
  if (id === undefined || more !== undefined || nodes === undefined)
    return misused(
      call,
      "`flow azure pool create NAME --nodes N` needs a name and a number of nodes",
    );
  const account = accountOf(call);
  if (account === undefined) return EXIT.outside;
  const made = await account.createPool({
    id,
    nodes,
    vmSize: invocation.value("vm-size"),
    low: invocation.has("low"),
    slots: numberOf(invocation.value("slots")),
    images: invocation.values("image"),
  });
  return done(call, made, `made the pool ${id}; it costs until \`flow azure pool delete ${id}\``);
}

async function resizePool(call: AzureCall, [id, more]: readonly string[]): Promise<ExitCode> {
  const { invocation } = call;
  const nodes = numberOf(invocation.value("nodes"));
  if (id === undefined || more !== undefined || nodes === undefined)
    return misused(
      call,
      "`flow azure pool resize NAME --nodes N` needs a name and a number of nodes",
    );
  const account = accountOf(call);
  if (account === undefined) return EXIT.outside;
  const isLow = invocation.has("low");
  const resized = await account.resizePool(id, isLow ? 0 : nodes, isLow ? nodes : 0);
  return done(call, resized, `the pool ${id} goes to ${nodes} nodes`);
}

async function deletePool(call: AzureCall, [id, more]: readonly string[]): Promise<ExitCode> {
  if (id === undefined || more !== undefined)
    return misused(call, "`flow azure pool delete NAME` needs a name");
  const account = accountOf(call);
  if (account === undefined) return EXIT.outside;
  const { invocation, io } = call;
  if (!invocation.has("yes")) {
    const answer = await io.ask(`Delete the pool ${id} and end what runs there? [y/N] `);
    if (answer === undefined)
      return misused(call, `this would delete the pool ${id}; say -y to do it`);
    if (!/^y(es)?$/i.test(answer.trim())) return EXIT.ok;
  }
  return done(call, await account.deletePool(id), `deleted the pool ${id}`);
}

const nodes: AzureVerb = {
  async run(call) {
    const [id, node] = call.args;
    const account = accountOf(call);
    if (account === undefined) return EXIT.outside;
    if (id === undefined) return misused(call, "`flow azure nodes POOL` needs a pool");
    if (node !== undefined) {
      const output = await account.startOutput(id, node);
      if (output.ok) call.io.stdout.write(output.value ?? "");
      return done(call, output, `the output of the start command on ${node}`);
    }
    const head = ["NODE", "STATE", "KIND", "TASKS", "TROUBLE"];
    const cells = (row: NodeRow): readonly string[] => [
      row.id,
      row.state,
      row.dedicated ? "dedicated" : "low priority",
      String(row.runningTasks),
      row.startTaskExit === undefined || row.startTaskExit === 0
        ? row.errors.map(({ code, message }) => `${code}: ${message}`).join("; ")
        : `the start command ended with ${row.startTaskExit}`,
    ];
    return show(call, await account.nodes(id), head, cells, `the pool ${id} has no nodes`);
  },
};

const files: AzureVerb = {
  selects: true,
  async run(call) {
    const task = onlyTask(call);
    if (typeof task === "string") return misused(call, task);
    const output = call.invocation.value("output");
    const folder = output === undefined ? "" : folderOf(task.outputs, output);
    if (folder === undefined) return misused(call, noOutput(task, String(output)));
    const account = accountOf(call);
    if (account === undefined) return EXIT.outside;
    const outputs = Object.values(task.outputs).filter((path) => path !== "");
    const wanted = { key: task.key, attempt: task.directory, outputs };
    const { stdout } = call.io;
    const path = call.invocation.value("get");
    if (path !== undefined) {
      const read = await account.readFile(wanted, path, async (piece) => {
        if (!stdout.write(piece)) await stdout.drained();
      });
      return done(call, read, path);
    }
    const found = await account.files(wanted);
    const chosen = found.ok
      ? { ...found, value: found.value.filter((each) => `/${each.path}`.includes(folder)) }
      : found;
    const cells = (file: FoundFile): readonly string[] => [
      file.path,
      formatBytes(file.bytes),
      file.url ?? file.file ?? "on its node",
    ];
    const head = ["FILE", "SIZE", "WHERE"];
    return show(call, chosen, head, cells, `${task.id} has no files there`);
  },
};

interface Attempted {
  readonly id: string;
  readonly key: AttemptKey;
  readonly directory: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** The one task that is meant, with its latest attempt, or what is wrong. */
function onlyTask({ project }: AzureCall): Attempted | string {
  const { graph, selection } = project;
  const [index, second] = selection.asked;
  const task = index === undefined ? undefined : graph.tasks[index];
  if (task === undefined || second !== undefined) return "`flow azure files TASK` needs one task";
  const attempt = lastAttempt(layout(graph.project.root), task.key, nodeFileSystem);
  if (attempt === undefined) return `${task.id} has not run yet`;
  const key = attemptKey(task.key, attempt.serial);
  return { id: task.id, key, directory: attempt.directory, outputs: task.outputs };
}

/** Where the files of an output lie in an attempt; undefined for one that is not known. */
function folderOf(outputs: Attempted["outputs"], name: string): string | undefined {
  const path = outputs[name];
  if (path === undefined) return undefined;
  return path === "" ? `/out/${name}/` : `/project/${path.replace(/^(\.\/)+|\/+$/g, "")}/`;
}

function noOutput({ id, outputs }: Attempted, wanted: string): string {
  const names = Object.keys(outputs);
  const has = names.length === 0 ? "has none" : `has ${names.join(", ")}`;
  return `${id} ${has}, and no output \`${wanted}\``;
}

const gc: AzureVerb = {
  async run(call) {
    const { io, project, invocation } = call;
    const runs = liveRuns(project.graph.project.root).map(({ run }) => run);
    const account = accountOf(call);
    if (account === undefined) return EXIT.outside;
    const cleaned = await account.collect(runs);
    if (!cleaned.ok) return done(call, cleaned, "");
    const { removed, problems } = cleaned.value;
    if (invocation.has("json"))
      io.stdout.write(`${JSON.stringify({ removed, problems, runs }, null, 2)}\n`);
    for (const problem of problems) io.stderr.write(`flow: ${problem}\n`);
    for (const name of removed) io.stderr.write(`removed the ${name}\n`);
    if (removed.length === 0 && problems.length === 0)
      io.stderr.write(
        runs.length > 0
          ? "a run is under way; what it uses stays\n"
          : "nothing of this project is left in Azure\n",
      );
    return problems.length > 0 ? EXIT.outside : EXIT.ok;
  },
};

export const azureVerbs: Readonly<Record<string, AzureVerb>> = { pool, nodes, files, gc };
