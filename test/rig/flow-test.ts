/**
 * `flowTest`: a Vitest test with a project of its own in a temporary folder, the real command line,
 * and tasks that the test controls. When the test fails, everything flow said is printed; when it ends,
 * no process may be left.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { type Command, CommandServer } from "./commands.ts";
import { type Ended, FlowProcess } from "./flow-process.ts";
import { leftBehind, MARK, processesOf } from "./processes.ts";
import { Witness } from "./witness.ts";

const rig = fileURLToPath(new URL(".", import.meta.url));

/** Variables that would make flow or Node behave otherwise than in a plain terminal. */
const FOREIGN = /^(FLOW_|GITHUB_|VITEST|NODE_|RIG_|CI$|NO_COLOR$|FORCE_COLOR$|TEST$|MODE$)/;

interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs another, such as strace with its options. */
  readonly wrapper?: readonly string[];
  /** Relative to the project. */
  readonly cwd?: string;
}

export class FlowProject {
  readonly root: string;
  readonly witness: Witness;
  readonly env: NodeJS.ProcessEnv;
  readonly #commands: CommandServer;
  readonly #started: FlowProcess[] = [];

  private constructor(folder: string, commands: CommandServer) {
    this.root = join(folder, "project");
    mkdirSync(this.root);
    this.#commands = commands;
    this.witness = new Witness(join(folder, "witness"));
    const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
    this.env = {
      ...Object.fromEntries(own),
      PATH: [join(rig, "bin"), process.env["PATH"]].join(delimiter),
      RIG_FOLDER: rig,
      RIG_SOCKET: join(folder, "socket"),
      RIG_WITNESS: join(folder, "witness"),
      [MARK]: folder,
    };
  }

  static async open(folder: string): Promise<FlowProject> {
    return new FlowProject(folder, await CommandServer.open(join(folder, "socket")));
  }

  /** Absolute path of something in the project. */
  path(...parts: readonly string[]): string {
    return join(this.root, ...parts);
  }

  write(path: string, text: string, mode?: number): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
    if (mode !== undefined) chmodSync(this.path(path), mode);
  }

  /** Writes `flow.yaml`, the `version` line included. */
  flowFile(text: string): void {
    this.write("flow.yaml", `version: 1\n${text}`);
  }

  /** Puts a copy of a file or folder of the repository into the project, without what runs left there. */
  copy(from: string, to = "."): void {
    const isOurs = (path: string) => !/\/(\.flow|out)$/.test(path);
    cpSync(join(rig, "../..", from), this.path(to), { recursive: true, filter: isOurs });
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  has(path: string): boolean {
    return existsSync(this.path(path));
  }

  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  /** Runs flow to its end. */
  run(...args: readonly string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** `flow run --output json` to its end, with its events. */
  async runEvents(...args: readonly string[]): Promise<FlowProcess & { readonly code: number }> {
    const flow = this.startRun(...args);
    const { code } = await flow.ended;
    return Object.assign(flow, { code: code ?? -1 });
  }

  start(args: readonly string[], options: StartOptions = {}): FlowProcess {
    const flow = new FlowProcess(args, {
      cwd: this.path(options.cwd ?? "."),
      env: { ...this.env, ...options.env },
      ...(options.wrapper === undefined ? {} : { wrapper: options.wrapper }),
    });
    this.#started.push(flow);
    return flow;
  }

  /** Starts `flow run --output json`, whose events can be waited for. */
  startRun(...args: readonly string[]): FlowProcess {
    return this.start(["run", "--output", "json", ...args]);
  }

  /** The calls of `cmd NAME` by tasks. */
  cmd(name: string): Command {
    return this.#commands.command(name);
  }

  /** All that was said, for a failed test. */
  transcript(): string {
    return this.#started.map((flow) => flow.transcript()).join("\n\n");
  }

  /** Kills everything of this project at once, flow and tasks, as the end of the power does. */
  powerOff(): void {
    for (const { pid } of processesOf(this.env[MARK] ?? "")) killIfThere(pid);
  }

  /** Ends what still runs. Returns what would not end. */
  async close(): Promise<readonly string[]> {
    const running = this.#started.filter((flow) => flow.isRunning);
    await this.#commands.close();
    for (const flow of running) await flow.kill();
    const left = await leftBehind(this.env[MARK] ?? "");
    for (const { pid } of left) killIfThere(pid);
    return [
      ...running.map((flow) => `flow ${flow.args.join(" ")}`),
      ...left.map(({ pid, command }) => `${pid} ${command}`),
    ];
  }
}

export const flowTest = test.extend<{ readonly project: FlowProject }>({
  project: async ({ task, onTestFailed }, use) => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "flow-e2e-")));
    const project = await FlowProject.open(folder);
    onTestFailed(() => console.error(`${task.name}\n${project.transcript()}`));
    await use(project);
    const left = await project.close();
    const overlaps = project.witness.overlaps();
    rmSync(folder, { recursive: true, force: true });
    if (task.result?.state === "fail") return;
    if (left.length > 0) throw new Error(`left running:\n${left.join("\n")}`);
    if (overlaps.length > 0)
      throw new Error(`ran twice at once: ${overlaps.map(({ task: name }) => name).join(", ")}`);
  },
});

/** A process may end between being found and being killed. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
