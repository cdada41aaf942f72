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
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SHORTEST_MIN = 30;
const LONGEST_MIN = 60;
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
  const azure = { vm_size: "standard_a1_v2", ...options, ...forced, max_time: `${minutes}m` };
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
    stdio: ["ignore", "inherit", "inherit"],
    env,
  });
  watch.stdin.write(`${run.pid}\n`);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => run.kill("SIGINT"));
  const code = await ended(run);
  watch.stdin.end("ended\n");
  const cleaned = await ended(watch);
  process.stdout.write(readFileSync(join(folder, "guard.log"), "utf8"));
  if (code !== 0 || cleaned !== 0) return 1;
  const made = readFileSync(join(folder, "second.txt"), "utf8");
  if (made !== "from a node\n") {
    process.stderr.write(`second.txt came back as ${JSON.stringify(made)}\n`);
    return 1;
  }
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write("Both tasks ran on Azure Batch, and nothing is left there.\n");
  return 0;
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
  for (let tries = 1; tries <= 10; tries++) {
    const { status, stderr } = spawnSync(process.execPath, [cli, "azure", "gc", "-C", folder], {
      encoding: "utf8",
      env,
    });
    log(stderr);
    if (status === 0) {
      if (isAlone) rmSync(folder, { recursive: true, force: true });
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 15_000));
  }
  log(`something may be left in the account; see: flow azure gc -C ${folder}\n`);
  process.exitCode = 1;
}
