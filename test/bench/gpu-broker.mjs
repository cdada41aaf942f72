/**
 * What the GPU broker costs, over a stand-in of NVIDIA's library with 16 cards: how long a client
 * waits for a free card while 200 others queue, beside what a connection, one line and its echo cost
 * between two bare Node processes at the same time; how soon a card is another's after SIGKILL, what
 * one decision about 1,000 requests takes, and what a broker without work uses. Needs cc.
 *
 *     npm run build && node test/bench/gpu-broker.mjs
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { acquire, connect } from "../../packages/backend-gpu/dist/client/index.js";
import { Allocator } from "../../packages/backend-gpu/dist/policy/allocator.js";
import { DEFAULT_SETTINGS, GIB } from "../../packages/backend-gpu/dist/policy/model.js";
import { ProfileBook } from "../../packages/backend-gpu/dist/policy/profile.js";

const CARDS = 16;
const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const source = fileURLToPath(new URL("../gpu/fake-nvml.c", import.meta.url));
const client = new URL("../../packages/backend-gpu/dist/client/index.js", import.meta.url).href;

const at = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
const median = (times) =>
  at(
    times.toSorted((a, b) => a - b),
    0.5,
  );
function say(what, times) {
  const sorted = times.toSorted((a, b) => a - b);
  const figures = [0.5, 0.99].map((share) => `${at(sorted, share).toFixed(2)} ms`);
  console.log(`${what}: p50 ${figures[0]}, p99 ${figures[1]} (${times.length})`);
}

const folder = mkdtempSync(join(tmpdir(), "flow-gpu-bench-"));
const state = join(folder, "cards");
const env = {
  ...process.env,
  FLOW_NVML_LIBRARY: join(folder, "libnvidia-ml.so.1"),
  FAKE_NVML: state,
  FLOW_GPU_STATE: join(folder, "broker"),
  FLOW_GPU_SOCKET: join(folder, "gpu.sock"),
};
mkdirSync(`${state}.d`);
const cards = Array.from(
  { length: CARDS },
  (_, n) => `gpu GPU-${String(n).padStart(8, "0")}-0000-0000-0000-000000000000 Fake 24576 512 0 0`,
);
writeFileSync(state, ["init_ms 0", "stride 24", "memory_v2 1", ...cards, ""].join("\n"));
execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", env.FLOW_NVML_LIBRARY, source]);

const request = (more) => ({ label: "job", keys: ["job"], gpus: 1, ...more });
const end = { succeeded: true, outOfMemory: undefined };

async function lease(more, onQueued) {
  const connected = await connect(env.FLOW_GPU_SOCKET);
  if (!connected.ok) throw new Error(connected.error);
  const got = await acquire(connected.value, request(more), { env, onQueued });
  if (!got.ok) throw new Error(got.error.message);
  return got.value;
}

/** Waits in line for card 0, which is taken. */
const queue = () =>
  new Promise((resolve) => {
    // It ends with the broker.
    lease({ alone: true, among: ["0"] }, resolve).catch(() => {});
  });

const ticks = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
};
const residentMb = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

/** Hundreds of leases and of echoes in turn, so that what else the machine does meets both alike. */
async function acquiring(what) {
  const times = [];
  const echoes = [];
  for (let n = 0; n < 2000; n++) {
    if (n % 100 === 0) for (let m = 0; m < 100; m++) echoes.push(await timed(echoed));
    let held;
    times.push(
      await timed(async () => {
        held = await lease({ bytes: GIB, among: [String(1 + (n % 15))] });
      }),
    );
    await held.release(end);
  }
  say(what, times);
  say("  a bare echo meanwhile", echoes);
  console.log(`  ratio of the p50: ${(median(times) / median(echoes)).toFixed(2)}`);
}

async function timed(action) {
  const from = performance.now();
  await action();
  return performance.now() - from;
}

const echoPath = join(folder, "echo.sock");
const echoServer = `require("node:net").createServer((socket) => {
  socket.setEncoding("utf8");
  socket.on("data", (text) => socket.write(text));
}).listen(${JSON.stringify(echoPath)}, () => console.log("listening"));`;

/** Connects, sends a request and has it back. */
async function echoed() {
  const socket = createConnection(echoPath);
  socket.setEncoding("utf8");
  await once(socket, "connect");
  socket.write(`${JSON.stringify(request({ m: "acquire", bytes: GIB, among: ["1"] }))}\n`);
  await once(socket, "data");
  socket.destroy();
}

/** From the death of the one who holds a card until the next one has it. */
async function freeing() {
  const program = `import {acquire,connect} from ${JSON.stringify(client)};
    const {value}=await connect(process.env.FLOW_GPU_SOCKET);
    await acquire(value,${JSON.stringify(request({ alone: true, among: ["1"] }))},{env:process.env});
    console.log("held");setInterval(()=>{},1e6);`;
  const times = [];
  for (let n = 0; n < 20; n++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    let queued;
    const isQueued = new Promise((resolve) => {
      queued = resolve;
    });
    const next = lease({ alone: true, among: ["1"] }, queued);
    await isQueued;
    const from = performance.now();
    child.kill("SIGKILL");
    const held = await next;
    times.push(performance.now() - from);
    await held.release(end);
  }
  return times;
}

/** One decision about 1,000 requests of 50 kinds that nothing is free for, and one that grants. */
function deciding() {
  const allocator = new Allocator(DEFAULT_SETTINGS, new ProfileBook());
  for (let n = 0; n < 1000; n++) allocator.ask(ask(n));
  const card = (n) => ({
    id: `u${n}`,
    name: `GPU ${n}`,
    model: "Fake",
    capacityBytes: 24 * GIB,
    foreignBytes: 0,
    foreignWho: undefined,
    closed: undefined,
    single: false,
    attributed: true,
    group: "a",
  });
  const times = [];
  let now = 0;
  for (let n = 0; n < 300; n++) {
    // As after a reading of the cards: everything is looked up again.
    allocator.cards = Array.from({ length: CARDS }, (_, index) => card(index));
    now += 1000;
    const from = process.cpuUsage();
    allocator.pass(now);
    const { user, system } = process.cpuUsage(from);
    times.push((user + system) / 1000);
    const [first] = allocator.leases;
    allocator.end(first.id, { succeeded: true, outOfMemory: undefined, peakBytes: GIB }, now);
    allocator.ask(ask(1000 + n));
  }
  return times.slice(20);
}

const ask = (n) => ({
  id: String(n),
  label: `job ${n}`,
  user: "me",
  since: n,
  priority: 0,
  weightMs: undefined,
  count: 1 + (n % 50 === 0),
  fraction: undefined,
  alone: false,
  model: undefined,
  linked: false,
  among: undefined,
  identity: { keys: [`kind ${n % 50}`], params: {} },
  declaredBytes: undefined,
  declaredLoad: undefined,
  floorBytes: 0,
});

// With the flag of `flow gpu start`, which would leave it in the background.
const flags = ["--max-semi-space-size=2"];
const command = [...flags, main, "gpu", "start", "--foreground", "--idle", "never"];
const broker = spawn(process.execPath, command, {
  env,
  stdio: ["ignore", "pipe", "inherit"],
});
const echo = spawn(process.execPath, ["-e", echoServer], { stdio: ["ignore", "pipe", "inherit"] });
try {
  await Promise.all([once(broker.stdout, "data"), once(echo.stdout, "data")]);
  await pause(1000);
  const before = ticks(broker.pid);
  await pause(20_000);
  const share = (ticks(broker.pid) - before) / 100 / 20;
  console.log(
    `without work: ${(100 * share).toFixed(2)} % of a cpu, ${residentMb(broker.pid).toFixed(0)} MB resident`,
  );
  await acquiring("connect, acquire and be granted, nobody waiting");
  const taken = await lease({ alone: true, among: ["0"] });
  for (let n = 0; n < 200; n++) await queue();
  await acquiring("the same with 200 waiting for another card");
  say("granted to the next after SIGKILL, 200 waiting", await freeing());
  console.log(`then: ${residentMb(broker.pid).toFixed(0)} MB resident`);
  taken.close();
  say(`processor time of a decision, 1,000 waiting for ${CARDS} cards`, deciding());
} finally {
  echo.kill();
  broker.kill();
  await once(broker, "exit");
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
