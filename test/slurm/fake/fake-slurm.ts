/** SLURM's commands without SLURM: the fakes of `slurm.sh` on a PATH of their own. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("slurm.sh", import.meta.url));

type Command = "sbatch" | "squeue" | "scancel" | "scontrol" | "sacct" | "sinfo";

const COMMANDS: readonly Command[] = ["sbatch", "squeue", "scancel", "scontrol", "sacct", "sinfo"];

export interface FakeSlurm extends Disposable {
  /** The environment in which the commands are these. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A shell text that runs before a command and may answer in its place; undefined takes it away. */
  before(command: Command, text: string | undefined): void;
  /** Number of jobs, elements of arrays counted. */
  jobs(): number;
}

export function fakeSlurm(): FakeSlurm {
  const folder = mkdtempSync(join(tmpdir(), "flow-fake-slurm-"));
  const bin = join(folder, "bin");
  for (const each of [bin, join(folder, "jobs")]) mkdirSync(each);
  for (const name of COMMANDS) symlinkSync(script, join(bin, name));
  writeFileSync(join(folder, "version"), "slurm 22.05.8\n");
  return {
    env: {
      ...process.env,
      FAKE_SLURM: folder,
      PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
    },
    before(command, text) {
      const file = join(folder, `before.${command}`);
      if (text === undefined) rmSync(file, { force: true });
      else writeFileSync(file, `${text}\n`);
    },
    jobs: () =>
      readdirSync(join(folder, "jobs")).filter((name) => /^\d+\.(\d+|N)$/.test(name)).length,
    [Symbol.dispose]() {
      killAll(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** Kills what still carries this folder in its environment. */
function killAll(folder: string): void {
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      if (pid !== process.pid && environment.includes(`FAKE_SLURM=${folder}\0`))
        process.kill(pid, "SIGKILL");
    } catch {
      // It has ended, or is somebody else's.
    }
  }
}
