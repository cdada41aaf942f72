// A task's program that a test controls: it notes that it began, connects to the test's socket, says
// who it is and does as it is told until it is told to exit. With `--trap` a SIGTERM is passed on to
// the test instead of ending the program. With `--quick` it asks nobody: it notes that it ran, writes
// each FILE and ends. See commands.ts for the other side.
//
//   cmd [--trap] NAME [ARG…]
//   cmd --quick NAME [FILE…]

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";

const args = process.argv.slice(2);
const mode = args[0]?.startsWith("--") ? args.shift() : undefined;
const { RIG_SOCKET, RIG_WITNESS, FLOW_TASK, FLOW_ATTEMPT, FLOW_TASK_DIR, FLOW_PROJECT_DIR } =
  process.env;

/** Since boot, in clock ticks: with the pid it names one process for ever. Undefined once it is dead. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

// The folder is new for each attempt: several programs of one attempt may live together.
const me = {
  task: FLOW_TASK ?? args[0],
  project: FLOW_PROJECT_DIR,
  folder: FLOW_TASK_DIR,
  pid: process.pid,
  start: startTime(process.pid),
};

function note(kind, more = {}) {
  const at = Number(process.hrtime.bigint() / 1000n);
  const line = { kind, ...me, attempt: Number(FLOW_ATTEMPT ?? 0), at, ...more };
  appendFileSync(RIG_WITNESS, `${JSON.stringify(line)}\n`);
}

/** Processes of this task's other attempts that still live. Whoever of two notes later sees the other. */
function othersAlive() {
  return readFileSync(RIG_WITNESS, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter(
      ({ kind, task, project }) => kind === "begin" && task === me.task && project === me.project,
    )
    .filter(({ folder }) => folder !== me.folder)
    .filter(({ pid, start }) => startTime(pid) === start)
    .map(({ pid }) => pid);
}

note("begin");
const others = othersAlive();
if (others.length > 0) note("overlap", { others });

if (mode === "--quick") {
  for (const file of args.slice(1)) writeFileSync(file, `${args[0]}\n`);
  note("end", { code: 0 });
  process.exit();
}

const socket = createConnection(RIG_SOCKET);
const say = (message) => socket.write(`${JSON.stringify(message)}\n`);
if (mode === "--trap") process.on("SIGTERM", () => say({ signal: "SIGTERM" }));

const orders = {
  write: ({ path, text }) => writeFileSync(path, text),
  append: ({ path, text }) => appendFileSync(path, text),
  print: ({ text }) => writeFileSync(1, text),
  printError: ({ text }) => writeFileSync(2, text),
  exit: ({ code }) => {
    note("end", { code });
    process.exit(code);
  },
};

socket.on("connect", () =>
  say({
    name: args[0],
    args: args.slice(1),
    pid: process.pid,
    cwd: process.cwd(),
    env: process.env,
  }),
);
// The test is gone: nothing is left behind.
socket.on("error", () => process.exit(86));
socket.on("close", () => process.exit(86));
createInterface({ input: socket }).on("line", (line) => {
  const { id, order, ...rest } = JSON.parse(line);
  try {
    orders[order](rest);
    say({ id });
  } catch (error) {
    say({ id, error: error.message });
  }
});
