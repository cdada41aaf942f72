/**
 * A smoke test on a live account of Azure Batch, which costs money, so nothing runs it unasked: one node of the
 * smallest size, two short tasks, and everything that was made is deleted again, also when this is killed half-way.
 *
 *   FLOW_AZURE_LIVE='{"endpoint": "https://NAME.REGION.batch.azure.com", "storage": {"account": "NAME"}}'
 *   FLOW_AZURE_LIVE_SPEND=1       the most it may cost, in your currency
 *   FLOW_AZURE_LIVE_PRICE=0.05    what an hour of one node costs you, in the same
 *   AZURE_BATCH_ACCESS_KEY, AZURE_STORAGE_KEY
 *
 * Any other option of the backend can stand beside `endpoint`; `vm_size` should follow from the price.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SHORTEST_MIN = 30;
const LONGEST_MIN = 60;
/** What flow says of nodes that will not come by themselves. */
const NO_NODES = /is queued, but (no nodes: |the node \S+ is )/;
/** The longest pause between two looks at the account until everything is gone, and how many there are. */
const PAUSE_MS = 15_000;
const LOOKS = 60;
const cli = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const { env } = process;

if (process.argv[2] === "guard") await guard(process.argv[3]);
else process.exitCode = await main();

async function main() {
  const asked = readRequest();
  if (typeof asked === "string") {
    process.stderr.write(`${asked}\n`);
    return 2;
  }
  const { options, minutes, cost } = asked;
  const folder = mkdtempSync(join(tmpdir(), "flow-azure-live-"));
  const forced = { type: "azure-batch", pool: "ephemeral", nodes: 1, slots: 1 };
  const azure = { vm_size: "standard_d2s_v3", ...options, ...forced, max_time: `${minutes}m` };
  const tasks = {
    first: { targets: ["first.txt"], actions: ["uname -n; echo from a node >${{ target }}"] },
    second: {
      deps: ["first.txt"],
      targets: ["second.txt"],
      actions: ["cat first.txt >${{ target }}"],
    },
  };
  const file = { version: 1, backends: { azure }, defaults: { backend: "azure" }, tasks };
  writeFileSync(join(folder, "flow.yaml"), JSON.stringify(file, undefined, 2));
  process.stdout.write(
    `One ${azure.vm_size} node at ${azure.endpoint} for at most ${minutes} minutes: at most ${cost}, and a little for storage.\n` +
      `Everything is deleted at the end. Should this machine die: flow azure gc -C ${folder}\n`,
  );

  const watch = startGuard(folder);
  const run = spawn(process.execPath, [cli, "run", "-C", folder, "--output", "plain"], {
    stdio: ["ignore", "inherit", "pipe"],
    env,
  });
  watch.stdin.write(`${run.pid}\n`);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => run.kill("SIGINT"));
  const [hasNodes, code] = await Promise.all([relay(run), ended(run)]);
  process.stdout.write("Deleting what was made, and looking until it is gone …\n");
  watch.stdin.end("ended\n");
  const cleaned = await ended(watch);
  const said = join(folder, "guard.log");
  if (existsSync(said)) process.stdout.write(readFileSync(said, "utf8"));
  const made = join(folder, "second.txt");
  const text = existsSync(made) ? readFileSync(made, "utf8") : undefined;
  const problems = [
    ...(hasNodes ? [] : ["Azure gives no node for it; flow says why above."]),
    ...(hasNodes && code !== 0 ? [`flow run ended with ${code}; it says why above.`] : []),
    ...(code === 0 && text !== "from a node\n" ? [`second.txt is ${JSON.stringify(text)}.`] : []),
    ...(cleaned === 0 ? [] : [`Something may be left; remove it: flow azure gc -C ${folder}`]),
  ];
  if (cleaned === 0) rmSync(folder, { recursive: true, force: true });
  if (problems.length > 0) {
    const left = cleaned === 0 ? ["Nothing is left in the account."] : [];
    process.stderr.write(`The smoke test failed. ${[...problems, ...left].join(" ")}\n`);
    return 1;
  }
  process.stdout.write("Both tasks ran on Azure Batch, and nothing is left there.\n");
  return 0;
}

/** Shows what a run says, to its end; false when it waits for nodes that will not come, which ends it. */
async function relay(run) {
  let hasNodes = true;
  let line = "";
  run.stderr.setEncoding("utf8");
  for await (const text of run.stderr) {
    process.stderr.write(text);
    line = `${line}${text}`.slice(-10_000);
    if (hasNodes && NO_NODES.test(line)) {
      hasNodes = false;
      run.kill("SIGINT");
    }
  }
  return hasNodes;
}

/** What is asked for; returned as text: why nothing was started. */
function readRequest() {
  if (!env.FLOW_AZURE_LIVE)
    return "Nothing was started: FLOW_AZURE_LIVE names no account. The head of this file says how.";
  const [spend, price] = [Number(env.FLOW_AZURE_LIVE_SPEND), Number(env.FLOW_AZURE_LIVE_PRICE)];
  if (!(spend > 0 && price > 0))
    return "Nothing was started: this costs money. Set FLOW_AZURE_LIVE_SPEND to the most it may cost and FLOW_AZURE_LIVE_PRICE to the price of one node for an hour.";
  const minutes = Math.min(LONGEST_MIN, Math.floor((60 * spend) / price + 1e-6));
  if (minutes < SHORTEST_MIN)
    return `Nothing was started: a node must be paid for ${SHORTEST_MIN} minutes, and ${spend} is enough for ${minutes}.`;
  try {
    const options = JSON.parse(env.FLOW_AZURE_LIVE);
    return { options, minutes, cost: Number(((minutes / 60) * price).toFixed(4)) };
  } catch (error) {
    return `Nothing was started: FLOW_AZURE_LIVE is not JSON: ${error.message}`;
  }
}

function ended(child) {
  return new Promise((resolve) => child.once("close", resolve));
}

/** A process of its own that outlives this one, and deletes what was made once this one has ended in whatever way. */
function startGuard(folder) {
  return spawn(process.execPath, [fileURLToPath(import.meta.url), "guard", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env,
  });
}

async function guard(folder) {
  let told = "";
  for await (const chunk of process.stdin) told += chunk;
  const [run, isAlone] = [Number.parseInt(told, 10), !told.includes("ended")];
  const log = (text) => appendFileSync(join(folder, "guard.log"), text);
  try {
    // A run that has ended is gone; one whose parent was killed is not.
    process.kill(run, "SIGKILL");
  } catch {}
  // flow writes down what it is about to make, so without that nothing was made.
  const isGone = !existsSync(join(folder, ".flow/backends")) || (await removed(folder, log));
  if (isGone && isAlone) rmSync(folder, { recursive: true, force: true });
  if (!isGone) process.exitCode = 1;
}

/** Removes everything, and looks until no node can be there any more: the service needs minutes for a pool. */
async function removed(folder, log) {
  const flow = (...args) =>
    spawnSync(process.execPath, [cli, "azure", ...args, "-C", folder], { encoding: "utf8", env });
  let said = "";
  for (let looks = 1; looks <= LOOKS; looks++) {
    const { status, stderr } = flow("gc");
    if (stderr !== said) log(stderr);
    said = stderr;
    const pools = flow("pool", "list");
    if (status === 0 && pools.status === 0 && !pools.stdout.includes("this project")) return true;
    await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE_MS, 500 * 2 ** looks)));
  }
  return false;
}
