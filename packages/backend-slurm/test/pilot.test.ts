/** `pilot.sh` alone, with a runner that only says what it was to run. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const node = fileURLToPath(new URL("../node", import.meta.url));

/** A folder with a pilot's scripts and an empty queue. */
function place(): string {
  const folder = mkdtempSync(join(tmpdir(), "flow-pilot-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["queue", "taken", "beats", "tmp"]) mkdirSync(join(folder, name));
  for (const name of ["pilot.sh", "machine.sh"]) copyFileSync(join(node, name), join(folder, name));
  writeFileSync(join(folder, "scheduler.sh"), "job_id=7\n");
  writeFileSync(join(folder, "pilots.json"), "{}");
  return folder;
}

it("knows what it takes before it takes it, because what has been taken is cleared away", async () => {
  const folder = place();
  writeFileSync(join(folder, "flow-runner.sh"), `echo "$2" >>'${folder}/ran'\n`);
  // Whoever reads the entry waits until it is written.
  const entry = join(folder, "queue/0000000.0");
  const taken = join(folder, "taken/0000000.0");
  execFileSync("mkfifo", [entry]);
  const pilot = spawn("sh", [join(folder, "pilot.sh"), folder, "1", "0", "1000"], {
    env: { ...process.env, TMPDIR: join(folder, "tmp") },
    stdio: "ignore",
  });
  const ended = once(pilot, "exit");
  const writing = await open(entry, "w");
  expect(existsSync(taken)).toBe(false);
  await writing.write(`flow-1 0 pilot\n0 ${folder}/attempt\n`);
  await writing.close();
  await ended;
  expect(readFileSync(taken, "utf8")).toBe("7\n");
  expect(readFileSync(join(folder, "ran"), "utf8")).toBe(`${folder}/attempt/0.0\n`);
});

it.each([
  ["not start what could not end before its own limit", ["30", "60", "59"], true],
  ["not wait for more when the run is over", ["1000", "60", "3600"], false],
])("does %s", (_, times, isGoing) => {
  const folder = place();
  writeFileSync(join(folder, "queue/0000000.0"), `flow-1 0 pilot\n0 ${folder}/attempt\n`);
  if (!isGoing) rmSync(join(folder, "pilots.json"));
  const { status } = spawnSync("sh", [join(folder, "pilot.sh"), folder, ...times], {
    env: { ...process.env, TMPDIR: join(folder, "tmp") },
  });
  expect(status).toBe(0);
  expect(readdirSync(join(folder, "taken"))).toEqual([]);
  expect(readdirSync(join(folder, "tmp"))).toEqual([]);
});

it.each(["dash", "bash", "busybox sh"])(
  "%s: waits for what it runs, whatever signals come meanwhile",
  async (shell) => {
    const [program = "", ...args] = shell.split(" ");
    if (spawnSync(program, [...args, "-c", ":"]).status !== 0) return;
    const folder = place();
    const hold = join(folder, "hold");
    execFileSync("mkfifo", [hold]);
    const tell = (what: string) => `echo "${what} \${2##*/}" >>'${folder}/ran'`;
    writeFileSync(
      join(folder, "flow-runner.sh"),
      `${tell("begin")}; case $2 in */0.0) read -r x <'${hold}';; esac; ${tell("end")}; exit 143\n`,
    );
    for (const generation of [0, 1])
      writeFileSync(
        join(folder, `queue/000000${generation}.0`),
        `flow-1 0 pilot\n${generation} ${folder}/attempt\n`,
      );
    const pilot = spawn(program, [...args, join(folder, "pilot.sh"), folder, "1", "0", "1000"], {
      env: { ...process.env, TMPDIR: join(folder, "tmp") },
      stdio: "ignore",
    });
    const ended = once(pilot, "exit");
    // Whoever writes waits until the runner reads.
    const writing = await open(hold, "w");
    for (let count = 0; count < 200; count++) {
      pilot.kill("SIGALRM");
      await new Promise(setImmediate);
    }
    await writing.write("go\n");
    await writing.close();
    await ended;
    expect(readFileSync(join(folder, "ran"), "utf8")).toBe(
      "begin 0.0\nend 0.0\nbegin 1.0\nend 1.0\n",
    );
  },
);

it.each(["dash", "bash", "busybox sh"])(
  "%s: tells what it runs to stop, whenever it is told itself",
  async (shell) => {
    const [program = "", ...args] = shell.split(" ");
    if (spawnSync(program, [...args, "-c", ":"]).status !== 0) return;
    const lines = readFileSync(join(node, "pilot.sh"), "utf8").split("\n");
    const start = lines.findIndex((line) => line.startsWith("  sh "));
    const rounds = [start, start + 1, start + 2].map(async (at) => {
      const folder = place();
      const planted = lines.toSpliced(at, 0, "kill -s TERM $$").join("\n");
      writeFileSync(join(folder, "pilot.sh"), planted);
      const runner = `trap "echo told >>'${folder}/ran'; exit 143" TERM; while [ -e '${folder}' ]; do sleep 0.02; done\n`;
      writeFileSync(join(folder, "flow-runner.sh"), runner);
      for (const name of ["0000000.0", "0000001.0"])
        writeFileSync(join(folder, "queue", name), `flow-1 0 pilot\n0 ${folder}/attempt\n`);
      const pilot = spawn(program, [...args, join(folder, "pilot.sh"), folder, "1", "0", "1000"], {
        env: { ...process.env, TMPDIR: join(folder, "tmp") },
        stdio: "ignore",
      });
      await once(pilot, "exit");
      // Where the signal came before the runner could listen, that is what ended it.
      expect(
        existsSync(join(folder, "ran")) ? readFileSync(join(folder, "ran"), "utf8") : "",
      ).toMatch(/^(told\n)?$/);
      expect(readdirSync(join(folder, "taken"))).toEqual(["0000000.0"]);
    });
    await Promise.all(rounds);
  },
);
