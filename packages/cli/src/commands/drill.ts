// `flow drill SEL…`: does a task survive being cut short? Runs it in a sandbox, cuts it short in every
// way the contract knows, lets it go on, and compares with an undisturbed run.

import {
  captureTree,
  formatDuration,
  layout,
  nodeFileSystem,
  openInspector,
  openState,
  type Plan,
  parseDuration,
  productsOf,
  type RecordedTask,
  SnapshotError,
  type Task,
} from "@flow/core";
import { type DrillRequest, drillTask } from "../drill/drill-task.ts";
import {
  type Moment,
  readMoment,
  type Scenario,
  scenarios,
  WAY_MEANINGS,
  WAYS,
  type Way,
} from "../drill/scenario.ts";
import type { Reference, Verdict } from "../drill/verdict.ts";
import { missingBackend } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { readGpus } from "../run/run-plan.ts";
import { removeSandbox } from "../run/sandbox.ts";
import { openSelection } from "../selection.ts";

export const command: Command = async (invocation, io) => {
  const usage = (problem: string): ExitCode => {
    io.stderr.write(`flow: ${problem}\n`);
    return EXIT.usage;
  };
  const planned = readScenarios(invocation);
  if ("problem" in planned) return usage(planned.problem);
  const gpus = await readGpus(invocation);
  if ("problem" in gpus) return usage(gpus.problem);
  const opened = await openSelection(invocation, io);
  if (!opened.ok) return opened.error;
  const { plan, asked, secretValues } = opened.value;
  const tasks = asked.filter(({ actions }) => actions.length > 0);
  if (tasks.length === 0) return usage("no task that does something was selected");
  const backend = invocation.value("backend");
  const missing = backend === undefined ? undefined : await missingBackend(backend, plan.project);
  if (missing !== undefined) return usage(missing);
  const report = new DrillReport(invocation, io);
  const env = { ...io.env, ...secretValues };
  let code: ExitCode = EXIT.ok;
  for (const task of tasks) {
    const subject = await subjectOf(backend === undefined ? task : { ...task, backend }, plan, env);
    const problem =
      typeof subject === "string"
        ? subject
        : await drill(subject, plan, planned.scenarios, report, invocation, io);
    if (problem === true) continue;
    code = code === EXIT.usage || typeof problem === "string" ? EXIT.usage : EXIT.failed;
    if (typeof problem === "string") {
      io.stderr.write(`flow: ${task.id} cannot be drilled: ${sanitizeLine(problem)}\n`);
    }
  }
  report.end();
  return code;
};

/** What to do, as `--ways` and `--at` say. */
function readScenarios(
  invocation: Invocation,
): { readonly scenarios: readonly Scenario[] } | { readonly problem: string } {
  const words = invocation.value("ways")?.split(",") ?? WAYS;
  const unknown = words.find((word) => !WAYS.includes(word as Way));
  if (unknown !== undefined) {
    return { problem: `--ways takes ${WAYS.join(", ")}, not \`${sanitizeLine(unknown)}\`` };
  }
  const moments: Moment[] = [];
  for (const text of invocation.value("at")?.split(",") ?? []) {
    const moment = readMoment(text, parseDuration);
    if (moment === undefined) {
      return {
        problem: `--at takes moments such as \`50%\` or \`3s\`, not \`${sanitizeLine(text)}\``,
      };
    }
    moments.push(moment);
  }
  const given = moments.length === 0 ? undefined : moments;
  return { scenarios: scenarios(words as readonly Way[], given) };
}

/** The task with its inputs as they are; or why it could not run now. */
async function subjectOf(task: Task, plan: Plan, env: Io["env"]): Promise<RecordedTask | string> {
  const { root, workspace, experiment } = plan.project;
  const inspection = await openInspector(plan, openState(root), { env }).inspect(task);
  return inspection.verdict === "impossible"
    ? inspection.problems.map(({ message }) => message).join("; ")
    : { task, inputs: inspection.inputs, root, workspace, experiment };
}

/** True when it passed, false when not; or why nothing could be tried. */
async function drill(
  subject: RecordedTask,
  plan: Plan,
  planned: readonly Scenario[],
  report: DrillReport,
  invocation: Invocation,
  io: Io,
): Promise<boolean | string> {
  const { root, code } = plan.project;
  const { drills } = layout(root);
  const folder = `${drills}/${subject.task.key}`;
  try {
    const { tree } = await captureTree({ root, code, products: productsOf(plan.tasks) });
    const gpus = invocation.value("gpus");
    const request: DrillRequest = { subject, tree, folder, gpus, scenarios: planned };
    report.task(subject.task);
    const result = await drillTask(request, report, io);
    return result.ok ? result.value : result.error;
  } catch (error) {
    if (error instanceof SnapshotError) return error.message;
    throw error;
  } finally {
    if (!invocation.has("keep")) {
      removeSandbox(folder);
      nodeFileSystem.removeDirectory(drills);
    }
  }
}

const SIGNS = { pass: "✔", fail: "✖", skip: "–" } as const;
const STYLES = { pass: "good", fail: "bad", skip: "dim" } as const;

/** Tells what happens as it happens; with `--json` all of it at the end. */
class DrillReport {
  readonly #io: Io;
  readonly #isJson: boolean;
  readonly #paint: Paint;
  readonly #tasks: {
    readonly task: string;
    reference?: object;
    readonly trials: object[];
  }[] = [];

  constructor(invocation: Invocation, io: Io) {
    this.#io = io;
    this.#isJson = invocation.has("json");
    this.#paint = paintFor(io.stdout, invocation.value("color"), io.env);
  }

  task({ id, backend }: Task): void {
    this.#tasks.push({ task: id, trials: [] });
    if (!this.#isJson) {
      this.#io.stdout.write(
        `${this.#paint("strong", sanitizeLine(id))} on ${sanitizeLine(backend)}\n`,
      );
    }
  }

  reference({ durationMs, progress, targets }: Reference): void {
    const task = this.#tasks.at(-1);
    if (task !== undefined) {
      task.reference = { durationMs, progress, targets: Object.fromEntries(targets) };
    }
    if (this.#isJson) return;
    const told =
      progress.last === undefined
        ? "tells no progress, so moments are taken by the clock"
        : `tells its progress up to ${progress.last}`;
    this.#io.stdout.write(`    undisturbed: ${formatDuration(durationMs)}, ${told}\n`);
  }

  verdict(scenario: Scenario, { result, steps, problems }: Verdict): void {
    const at = momentText(scenario.at);
    this.#tasks.at(-1)?.trials.push({ way: scenario.way, at, result, steps, problems });
    if (this.#isJson) return;
    const name = [scenario.way, at].filter((part) => part !== "").join(" ");
    const sign = this.#paint(STYLES[result], `${SIGNS[result]} ${name.padEnd(13)}`);
    const said = sanitizeLine(steps.join(", "));
    this.#io.stdout.write(`  ${sign} ${said}\n`);
    if (problems.length > 0) this.#io.stdout.write(`      ${WAY_MEANINGS[scenario.way]}, it\n`);
    for (const problem of problems) {
      this.#io.stdout.write(`        ${this.#paint("bad", sanitizeLine(problem))}\n`);
    }
  }

  end(): void {
    if (this.#isJson) this.#io.stdout.write(`${JSON.stringify(this.#tasks, null, 2)}\n`);
  }
}

function momentText(moment: Moment | undefined): string {
  if (moment === undefined) return "";
  return "part" in moment ? `at ${moment.part * 100}%` : `after ${formatDuration(moment.afterMs)}`;
}
