// What attempts on this machine run in: the machine itself, the Python interpreter that their
// commands name and the packages it has. Looked up once for each interpreter while the first attempt
// runs; what cannot be found out is left out, and nothing waits for a slow answer for long.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { arch, availableParallelism, cpus, hostname, release, totalmem, type } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import type { Exit, GpuFacts, MachineFacts } from "../model/outcome.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import type {
  AttemptRecord,
  AttemptResult,
  EnvironmentFacts,
  PythonFacts,
} from "../record/attempt-record.ts";
import { type ObjectStore, putObject } from "../snapshot/store.ts";
import { sha256 } from "../trace/fingerprint.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Facts = Pick<AttemptResult, "machine" | "environment">;
type Subject = Pick<AttemptRecord, "task" | "root" | "commands" | "resources">;

const PATIENCE_MS = 5000;

const ASK_PYTHON =
  "import json, os, sys; print(json.dumps([sys.version.split()[0], sys.executable, " +
  "[p for p in sys.path if p and os.path.isdir(p)]]))";

const ASK_GPUS = [
  "--query-gpu=name,uuid,driver_version,memory.total",
  "--format=csv,noheader,nounits",
];

export class Surroundings {
  readonly #store: ObjectStore;
  readonly #env: Env;
  readonly #host: string = hostname();
  readonly #pythons = new Map<string, Promise<PythonFacts | undefined>>();
  #machine: MachineFacts | undefined;
  #gpus: Promise<readonly GpuFacts[]> | undefined;

  /** `env`: what programs inherit. */
  constructor(store: ObjectStore, env: Env) {
    this.#store = store;
    this.#env = env;
  }

  /** Begins to look, for an attempt that is about to run. */
  expect(attempt: Subject): void {
    void this.#python(attempt);
  }

  /** For an attempt that has ended. Never rejects. */
  async of(attempt: Subject, exit: Pick<Exit, "node">): Promise<Facts> {
    const { container } = attempt.task;
    const isHere = exit.node === this.#host;
    const python = isHere && container === undefined ? await this.#python(attempt) : undefined;
    const environment: EnvironmentFacts = {
      ...(python === undefined ? {} : { python }),
      ...(container === undefined ? {} : { container: imageOf(container) }),
    };
    return {
      machine: isHere ? await this.#machineFor(attempt) : undefined,
      environment: Object.keys(environment).length === 0 ? undefined : environment,
    };
  }

  async #machineFor({ resources }: Subject): Promise<MachineFacts> {
    this.#machine ??= {
      system: `${type()} ${release()} ${arch()}`,
      cpu: cpus()[0]?.model.trim() ?? "",
      cpus: availableParallelism(),
      memoryBytes: totalmem(),
    };
    if ((resources.gpusMilli ?? 0) === 0) return this.#machine;
    this.#gpus ??= ask("nvidia-smi", ASK_GPUS, this.#env).then(parseGpus);
    return { ...this.#machine, gpus: await this.#gpus };
  }

  #python({ task, root, commands }: Subject): Promise<PythonFacts | undefined> {
    const word = interpreterOf(commands);
    if (word === undefined) return Promise.resolve(undefined);
    const env = { ...this.#env, ...task.env };
    const program = word.includes("/")
      ? resolve(root, task.cwd, word)
      : findProgram(word, env["PATH"], root);
    if (program === undefined) return Promise.resolve(undefined);
    const key = JSON.stringify([program, env["PYTHONPATH"], env["PYENV_VERSION"]]);
    const known = this.#pythons.get(key) ?? this.#askPython(program, env);
    this.#pythons.set(key, known);
    return known;
  }

  async #askPython(program: string, env: Env): Promise<PythonFacts | undefined> {
    const answer = await ask(program, ["-c", ASK_PYTHON], env);
    try {
      const [version, executable, path] = JSON.parse(answer) as [string, string, string[]];
      const packages = installedPackages(path);
      const text = packages.map((line) => `${line}\n`).join("");
      const digest = sha256(text);
      putObject(this.#store, digest, text);
      return { version, executable, packages: digest, packageCount: packages.length };
    } catch {
      return undefined;
    }
  }
}

/** What changes which interpreter a later word of the command means, or where it runs. */
const ELSEWHERE =
  /(?:^|[\s;&|/])(?:activate|conda|mamba|micromamba|module|uv|poetry|pipenv|pdm|ssh|srun|docker|podman|apptainer|singularity)(?=\s|$|;)/;

const INTERPRETER = /(?:^|[\s;&|(])((?:[\w.+~-]*\/)*python(?:\d+(?:\.\d+)*)?)(?=[\s;&|)]|$)/;

/** The word by which these commands call Python; undefined when they do not, or nobody can tell. */
export function interpreterOf(commands: readonly string[]): string | undefined {
  if (commands.some((command) => ELSEWHERE.test(command))) return undefined;
  for (const command of commands) {
    const word = INTERPRETER.exec(command)?.[1];
    if (word !== undefined && !word.startsWith("~")) return word;
  }
  return undefined;
}

function findProgram(name: string, path: string | undefined, root: string): string | undefined {
  return (path ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(isAbsolute(folder) ? folder : resolve(root, folder), name))
    .find((candidate) => existsSync(candidate));
}

/** `name==version` of everything with metadata on a Python path, in order; the first one counts. */
export function installedPackages(path: readonly string[]): readonly string[] {
  const found = new Map<string, string>();
  for (const folder of path) {
    for (const { name: entry } of nodeFileSystem.list(folder) ?? []) {
      const [, name, version] = /^(.+?)-(\d[^-]*)(?:-py\S+)?\.(?:dist|egg)-info$/.exec(entry) ?? [];
      if (name === undefined || version === undefined) continue;
      const usual = name.toLowerCase().replaceAll(/[-_.]+/g, "-");
      if (!found.has(usual)) found.set(usual, version);
    }
  }
  return [...found].map(([name, version]) => `${name}==${version}`).sort();
}

function imageOf(image: string): NonNullable<EnvironmentFacts["container"]> {
  return { image, digest: /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] };
}

export function parseGpus(text: string): readonly GpuFacts[] {
  return text.split("\n").flatMap((line): readonly GpuFacts[] => {
    const [model, uuid, driver, mebibytes] = line.split(",").map((part) => part.trim());
    if (!model || !uuid || driver === undefined) return [];
    return [{ model, uuid, driver, memoryBytes: Number(mebibytes) * 2 ** 20 }];
  });
}

/** What a program prints; "" when it cannot be asked. */
function ask(program: string, args: readonly string[], env: Env): Promise<string> {
  const options = { env, cwd: "/", timeout: PATIENCE_MS, maxBuffer: 1 << 20 };
  return new Promise((done) => {
    execFile(program, args, options, (error, stdout) => done(error === null ? stdout : ""));
  });
}
