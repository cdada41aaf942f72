/** `cause.sh` alone: how many jobs that are stopped in one moment ask the scheduler why. */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const script = fileURLToPath(new URL("../node/cause.sh", import.meta.url));
const JOBS = 40;
const TURNS = 8;

it("of many jobs that are stopped together at most eight ask the scheduler at a time, not all in one moment, and the others go by the signal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flow-cause-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const incarnation = join(folder, "attempt/0.0");
  mkdirSync(incarnation, { recursive: true });
  mkdirSync(join(folder, "bin"));
  copyFileSync(script, join(folder, "cause.sh"));
  const answers = join(folder, "answers");
  execFileSync("mkfifo", [answers]);
  // The scheduler answers when the test lets it.
  writeFileSync(
    join(folder, "scheduler.sh"),
    `job_why_stopped() { read -r line <'${answers}'; echo deadline; }\n`,
  );
  // No turn grows old here, and nobody sleeps.
  for (const [name, text] of [
    ["find", ""],
    ["sleep", `echo "$1" >>'${folder}/slept'`],
  ] as const) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  const env = {
    ...process.env,
    PATH: `${join(folder, "bin")}${delimiter}${process.env["PATH"]}`,
  };
  const said: string[] = [];
  const turns = new Set<number>();
  let changed: (() => void) | undefined;
  for (let job = 0; job < JOBS; job++) {
    const child = spawn("sh", [join(folder, "cause.sh")], {
      cwd: incarnation,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    turns.add((child.pid as number) % TURNS);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.on("close", () => {
      said.push(text);
      changed?.();
    });
  }
  const until = async (count: number) => {
    while (said.length < count)
      await new Promise<void>((resolve) => {
        changed = resolve;
      });
  };
  // Those that ask wait for their answers; all others have gone.
  await until(JOBS - turns.size);
  expect(new Set(said)).toEqual(new Set([""]));
  const writing = await open(answers, "w");
  await writing.write("\n".repeat(turns.size));
  await until(JOBS);
  await writing.close();
  expect(said.slice(JOBS - turns.size)).toEqual(Array.from(turns, () => "deadline\n"));
  const slept = readFileSync(join(folder, "slept"), "utf8").split("\n");
  expect(new Set(slept.filter((each) => each !== "0.2")).size).toBeGreaterThan(1);
});
