// Is a task fresh, and if not why; and after a success, what is there to remember. The rules are
// those of verifying traces: a result stands as long as the recipe and the digests of all inputs
// are those it was made with, whatever happened upstream.

import type { TemporaryTarget } from "../graph/temporary.ts";
import type { Result } from "../model/result.ts";
import { err } from "../model/result.ts";
import type { Task } from "../model/task.ts";
import {
  compareBudget,
  compareDeps,
  compareRecipes,
  compareValues,
  identityOf,
  knownDeps,
} from "./compare.ts";
import { conclude } from "./conclude.ts";
import type { DigesterOptions, Found } from "./digest.ts";
import { Digester } from "./digest.ts";
import { fingerprint, fingerprintDigest } from "./fingerprint.ts";
import type { InputSources } from "./inputs.ts";
import { readDeps, readTracked, readValues } from "./inputs.ts";
import type { TraceStore } from "./store.ts";
import { TemporaryTargets } from "./temporary.ts";
import type {
  Conclusion,
  InputProblem,
  InputSnapshot,
  Inspection,
  Reason,
  TargetProblem,
  TargetState,
  Trace,
} from "./trace.ts";
import { absent } from "./trace.ts";

/** How many changed files of a directory are named. */
const namedFiles = 5;
/** What was made is gone, and what it was made from is as it was. */
const LOST: ReadonlySet<Reason["component"]> = new Set([
  "target-missing",
  "target-lost",
  "target-used",
]);
/** Reasons to run whatever the last success was. */
const EVERY_TIME: ReadonlySet<Reason["component"]> = new Set(["always", "no-inputs-or-targets"]);

/** What an inspector works with. */
export interface InspectorOptions
  extends DigesterOptions,
    Pick<InputSources, "env" | "valuesFile" | "runCommand"> {
  readonly traces: TraceStore;
  /** Run this one whatever is known of it. */
  readonly isForced?: (task: Task) => boolean;
  /** Targets edited by hand are made again instead of being kept. */
  readonly rebuildModified?: boolean;
  /** Targets edited by hand are an error. */
  readonly strict?: boolean;
  /** Unix milliseconds of the machine's start; absent: it has been up since any record was made. */
  readonly bootedAt?: number;
  /** Of the plan that is judged. @default none */
  readonly temporary?: readonly TemporaryTarget[];
}

/** Judges the tasks of one run. Refreshed signatures go into the store; saving it is for others. */
export class Inspector {
  readonly #options: InspectorOptions;
  readonly #sources: InputSources;
  readonly #digester: Digester;
  /** Targets that go once they are used. */
  readonly temporary: TemporaryTargets;

  constructor(options: InspectorOptions) {
    this.#options = options;
    this.#digester = new Digester(options);
    const { traces, root, fileSystem } = options;
    this.temporary = new TemporaryTargets(options.temporary ?? [], traces, root, fileSystem);
    const isUsedUp = (path: string): boolean => this.temporary.covers(path);
    this.#sources = { ...options, digester: this.#digester, isUsedUp };
  }

  /** Every path looked at so far (absolute) with its signature; undefined: not to be trusted. */
  get looked(): ReadonlyMap<string, string | undefined> {
    return this.#digester.looked;
  }

  /** Keeps what spares reading next time, beside the traces. For whoever may write. */
  save(): void {
    this.#digester.save();
  }

  /** Judges a task whose dependencies are all done. */
  async inspect(task: Task): Promise<Inspection> {
    const { traces, isForced, strict } = this.#options;
    const trace = traces.get(task.key);
    const read = await this.#readInputs(task, trace);
    if ("problems" in read) {
      return trace !== undefined && (await this.#staysFrozen(task, trace))
        ? this.#frozen(trace)
        : { verdict: "impossible", problems: read.problems };
    }
    const { inputs } = read;
    const targets = await this.#inspectTargets(task, trace);
    if (targets.problems.length > 0) return { verdict: "impossible", problems: targets.problems };
    if (strict === true && targets.modified.length > 0) {
      return { verdict: "impossible", problems: targets.modified.map(modifiedProblem) };
    }
    const answer = { inputs, modifiedTargets: targets.modified };
    if (await this.#staysFrozen(task, trace)) {
      return { verdict: "fresh", reasons: [], promote: false, resumes: false, ...answer };
    }

    const reasons = [
      ...ownReasons(task, trace, isForced?.(task) === true, () => this.#hasTargets(task)),
      ...(trace === undefined ? [] : this.#nameFiles(compareWithTrace(trace, inputs))),
      ...targets.reasons,
      ...this.temporary.demandedOf(task.key),
    ];
    const budget = trace === undefined ? [] : compareBudget(trace.budget, inputs.budget);
    if (reasons.length === 0 && budget.length === 0) {
      const refused = await this.#askFreshCommand(task);
      reasons.push(...refused);
    }
    if (reasons.length + budget.length > 0) {
      const promote = budget.length > 0;
      const resumes = reasons.every(
        ({ component }) => LOST.has(component) || (promote && EVERY_TIME.has(component)),
      );
      const because = [...reasons, ...budget];
      return {
        verdict: "stale",
        reasons: because,
        promote: promote && resumes,
        resumes,
        ...answer,
      };
    }
    if (trace !== undefined) this.#refresh(task, trace, inputs, targets.states);
    return { verdict: "fresh", reasons: [], promote: false, resumes: false, ...answer };
  }

  /** Checks what a successful attempt made and makes its record; storing it is for the caller. */
  conclude(conclusion: Conclusion): Promise<Result<Trace, readonly TargetProblem[]>> {
    return conclude(conclusion, this.#digester);
  }

  /**
   * The record of a success that never was: everything as it lies there now, taken as it should be.
   * Storing it is for the caller.
   */
  async accept(
    task: Task,
    at: Pick<Conclusion, "run" | "serial" | "endedAt">,
  ): Promise<Result<Trace, readonly (InputProblem | TargetProblem)[]>> {
    const trace = this.#options.traces.get(task.key);
    const read = await this.#readInputs(task, trace);
    if ("problems" in read) return err(read.problems);
    const durationMs = trace?.durationMs ?? 0;
    const { key, file, targets, values } = task;
    return this.conclude({ key, task: task.id, file, targets, values, durationMs, ...at, ...read });
  }

  /** Whether what lies there is what its task made, and not edited since. */
  async isAsMade({ path, digest, signature }: TargetState): Promise<boolean> {
    const found = await this.#digester.look(path, "content", { digest, signature });
    return found !== undefined && !("message" in found) && found.digest === digest;
  }

  /** Everything a task's result may depend on now, or why that cannot be told. */
  async #readInputs(
    task: Task,
    trace: Trace | undefined,
  ): Promise<{ readonly inputs: InputSnapshot } | { readonly problems: readonly InputProblem[] }> {
    const { deps, expansions, problems } = await readDeps(task, knownDeps(trace), this.#sources);
    const { values, problems: valueProblems } = readValues(task, this.#sources);
    const { tracked, problems: trackProblems } = await readTracked(task, this.#sources);
    const all = [...problems, ...valueProblems, ...trackProblems];
    if (all.length > 0) return { problems: all };
    const isSame =
      trace !== undefined && trace.fingerprint.digest === fingerprintDigest(task, tracked);
    const current = isSame ? trace.fingerprint : fingerprint(task, tracked);
    return {
      inputs: {
        version: 1,
        identity: identityOf(current, deps, values),
        fingerprint: current,
        deps,
        expansions,
        values,
        params: task.params,
        budget: task.budgetValues,
      },
    };
  }

  /** Whether there is something at every place where the task promises to leave something. */
  #hasTargets(task: Task): boolean {
    const { root, fileSystem } = this.#options;
    const needed = promisedBy(task).filter(({ optional }) => !optional);
    return (
      needed.length > 0 &&
      needed.every(({ path }) => fileSystem.stat(`${root}/${path}`) !== undefined)
    );
  }

  async #inspectTargets(
    task: Task,
    trace: Trace | undefined,
  ): Promise<{
    readonly states: readonly TargetState[];
    readonly reasons: readonly Reason[];
    readonly modified: readonly string[];
    readonly problems: readonly InputProblem[];
  }> {
    const recorded = new Map(trace?.targets.map((state) => [state.path, state]));
    // Without a record it must run whatever lies there, which may be much to read.
    const promised = trace === undefined ? [] : promisedBy(task);
    const states: TargetState[] = [];
    const reasons: Reason[] = [];
    const modified: string[] = [];
    const problems: InputProblem[] = [];
    for (const { path, optional, sha256 } of promised) {
      const earlier = recorded.get(path);
      const found = await this.#digester.look(path, "content", earlier);
      if (found !== undefined && "message" in found) problems.push(found);
      else if (found === undefined && earlier !== undefined && this.temporary.covers(path)) {
        states.push(earlier);
      } else if (found === undefined) {
        const isMissed = optional ? (earlier?.digest ?? absent) !== absent : true;
        if (isMissed) reasons.push(reason("target-missing", path, earlier?.digest));
        else states.push({ path, digest: absent, signature: absent });
      } else {
        const { digest, signature, changedNs } = found;
        states.push({ path, digest, signature, changedNs: String(changedNs) });
        if (sha256 !== undefined && digest !== sha256) {
          reasons.push({ component: "target-bad", name: path, old: digest, new: sha256 });
        } else if (this.#isLost(found, earlier, trace)) {
          reasons.push(reason("target-lost", path, earlier?.digest, digest));
        } else if (earlier !== undefined && earlier.digest !== digest) {
          modified.push(path);
          // The next run warns again.
          this.#digester.distrust(path);
          if (this.#options.rebuildModified === true) {
            reasons.push(reason("target-modified", path, earlier.digest, digest));
          }
        }
      }
    }
    return { states, reasons, modified, problems };
  }

  /**
   * Whether a target holds something else though nobody has touched it since it was recorded: the machine
   * went down before the disk had it.
   */
  #isLost(found: Found, earlier: TargetState | undefined, trace: Trace | undefined): boolean {
    const { bootedAt } = this.#options;
    if (bootedAt === undefined || earlier?.changedNs === undefined) return false;
    const isOfEarlierBoot = (trace?.endedAt ?? bootedAt) < bootedAt;
    const isUntouched = found.changedNs <= BigInt(earlier.changedNs);
    return earlier.digest !== found.digest && isOfEarlierBoot && isUntouched;
  }

  async #askFreshCommand(task: Task): Promise<readonly Reason[]> {
    if (task.fresh === undefined) return [];
    const { cwd, env } = task;
    const command = { task: task.id, text: task.fresh, shell: "sh" as const, cwd, env };
    const { code, message } = await this.#options.runCommand(command);
    if (code === 0) return [];
    const exit = code === undefined ? message : `exit ${code}`;
    return [reason("fresh-command", task.fresh, undefined, exit)];
  }

  /** Says of a directory which of its files changed, where that is known. */
  #nameFiles(reasons: readonly Reason[]): readonly Reason[] {
    return reasons.flatMap((one): readonly Reason[] => {
      if (one.component !== "dep-content") return [one];
      const files = this.#digester.changesIn(one.name, one.old) ?? [];
      const named = files.slice(0, namedFiles).map(({ path, ...change }) => ({
        component: one.component,
        name: `${one.name}/${path}`,
        ...change,
      }));
      return files.length > 0 && files.length <= namedFiles ? named : [one, ...named];
    });
  }

  /** A frozen task runs only when one of its targets is missing. */
  async #staysFrozen(task: Task, trace: Trace | undefined): Promise<boolean> {
    if (!task.frozen) return false;
    for (const { path, optional } of promisedBy(task)) {
      if (optional || this.temporary.covers(path)) continue;
      const earlier = trace?.targets.find((state) => state.path === path);
      if ((await this.#digester.look(path, "content", earlier)) === undefined) return false;
    }
    return true;
  }

  /** A frozen task stays as it is, even when what it was made from is gone. */
  #frozen({ fingerprint: made, deps, params, budget }: Trace): Inspection {
    const inputs: InputSnapshot = {
      version: 1,
      identity: identityOf(made, deps, {}),
      fingerprint: made,
      deps,
      expansions: {},
      values: {},
      params,
      budget,
    };
    return {
      verdict: "fresh",
      reasons: [],
      inputs,
      modifiedTargets: [],
      promote: false,
      resumes: false,
    };
  }

  /** Keeps newer signatures of the same content, so that it is not read again next time. */
  #refresh(task: Task, trace: Trace, inputs: InputSnapshot, states: readonly TargetState[]): void {
    const recorded = new Map(states.map((state) => [state.path, state]));
    const targets = trace.targets.map((old) => {
      const state = recorded.get(old.path);
      return state?.digest === old.digest ? state : old;
    });
    const isSame =
      sameSignatures(trace.deps, inputs.deps) && sameSignatures(trace.targets, targets);
    if (!isSame) this.#options.traces.put(task.key, { ...trace, deps: inputs.deps, targets });
  }
}

/** What a task promises to leave behind: its targets and its values file. */
function promisedBy(task: Pick<Task, "targets" | "values">): readonly {
  readonly path: string;
  readonly optional: boolean;
  readonly sha256: string | undefined;
}[] {
  const { targets, values } = task;
  if (values === undefined || targets.some(({ path }) => path === values)) return targets;
  return [...targets, { path: values, optional: false, sha256: undefined }];
}

function ownReasons(
  task: Task,
  trace: Trace | undefined,
  isForced: boolean,
  hasTargets: () => boolean,
): readonly Reason[] {
  const reasons: Reason[] = [];
  const isBare =
    task.deps.length === 0 &&
    task.uses.length === 0 &&
    task.targets.length === 0 &&
    task.values === undefined;
  if (isForced) reasons.push(reason("forced"));
  if (task.always) reasons.push(reason("always"));
  else if (isBare && task.actions.length > 0) reasons.push(reason("no-inputs-or-targets"));
  else if (trace === undefined && task.actions.length > 0) {
    reasons.push(reason("never-succeeded", "", undefined, hasTargets() ? "present" : undefined));
  }
  return reasons;
}

function compareWithTrace(trace: Trace, inputs: InputSnapshot): readonly Reason[] {
  return [
    ...compareRecipes(trace.fingerprint, inputs.fingerprint),
    ...compareDeps(trace.deps, inputs.deps),
    ...compareValues(trace.values, inputs.values),
    ...trace.changed.map((path) => reason("dep-changed-while-running", path)),
  ];
}

const reason = (
  component: Reason["component"],
  name = "",
  old?: string,
  next?: string,
): Reason => ({ component, name, old, new: next });

const modifiedProblem = (path: string): InputProblem => ({
  kind: "modified",
  path,
  message: `\`${path}\` was edited after it was made; \`flow accept\` keeps it, \`--rebuild-modified\` makes it again.`,
});

const sameSignatures = (
  before: readonly { readonly signature: string }[],
  now: readonly { readonly signature: string }[],
): boolean =>
  before.length === now.length &&
  before.every(({ signature }, index) => signature === now[index]?.signature);
