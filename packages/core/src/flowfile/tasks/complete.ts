// Second pass over the tasks: with every member and its targets known, each becomes whole.

import type { Action, Dep, Target, Task } from "../../model/task.ts";
import { isWithin } from "../../graph/paths.ts";
import { type MapNode, spanOf } from "../document/node.ts";
import { type Combination, noMatrix } from "../matrix.ts";
import { resolvePath } from "../paths.ts";
import { readPruning } from "../sweep/search.ts";
import { readActions, readEnv, warnAboutArgv } from "./actions.ts";
import { checkFreshness, readCondition, readRequire } from "./conditions.ts";
import type { Member, TaskTemplate } from "./declare.ts";
import { matrixPolicy } from "./declare.ts";
import { readAfter, readDeps, readUses } from "./deps.ts";
import type { FieldReader } from "./fields.ts";
import { readCheckpoint, readMetrics, readOutputs, warnAboutMetrics } from "./outputs.ts";
import { readBackend, readBackendOptions, readPools, readResources } from "./placement.ts";
import { readRequeue, readRetries, readStop } from "./policy.ts";
import type { TaskIndex } from "./references.ts";
import type { FlowSource, Loading } from "./scope.ts";
import { budgetValues, checkBudget, readClean, readTrack, taskEnv } from "./work.ts";

/** The tasks of one template, in the order of its matrix. */
export function completeTasks(
  template: TaskTemplate,
  index: TaskIndex,
  loading: Loading,
  models: PlainTasks,
): readonly Task[] {
  warnAboutArgv(template.members[0]?.reader.node("actions"), loading);
  const plain = plainMember(template);
  const model = models.get(template.source);
  if (plain !== undefined && model !== undefined) {
    return [completeLike(model, template, plain, index, loading)];
  }
  const completer = new Completer(template, index, loading);
  const tasks = template.members.map((member) => completer.complete(member));
  warnAboutMetrics(tasks, template.members[0]?.reader.node("metrics"), loading);
  const [first] = tasks;
  if (plain !== undefined && first !== undefined) models.set(template.source, first);
  return tasks;
}

/** Of each file one task that has only the commonest keys: what it does not say is the same for all such. */
export type PlainTasks = Map<FlowSource, Task>;

const PLAIN_KEYS: ReadonlySet<string> = new Set(["desc", "deps", "targets", "actions"]);

/** The only member of a template that has no other keys and is not multiplied. */
function plainMember({ fields, members: [member] }: TaskTemplate): Member | undefined {
  if (member?.combination !== noMatrix.members[0]) return undefined;
  return isPlain(fields.own) && isPlain(fields.defaults) ? member : undefined;
}

function isPlain(node: MapNode | undefined): boolean {
  if (node === undefined) return true;
  for (const key of node.entries.keys()) if (!PLAIN_KEYS.has(key)) return false;
  return true;
}

/** The task of a plain member: large generated files consist of them. */
function completeLike(
  model: Task,
  template: TaskTemplate,
  member: Member,
  index: TaskIndex,
  loading: Loading,
): Task {
  const { id, key, slug, reader, targets } = member;
  const { deps, after } = readDeps(template, member, index, loading);
  const commands = reader.from(model.cwd);
  const actions = readActions(reader.node("actions"), commands, template.source, loading);
  return {
    ...model,
    id,
    key,
    template: template.name,
    slug,
    desc: reader.text(reader.node("desc")),
    span: spanOf(template.nameNode),
    deps: withInputs(deps, actions, targets),
    after,
    targets,
    actions,
  };
}

const { fromEntries } = Object;
const NONE: Readonly<Record<string, string>> = {};

/** What makes the members of a `sweep:` its trials. */
function trialOf({ members: [first] }: TaskTemplate): Pick<Task, "isTrial" | "pruning"> {
  const sweep = first?.reader.node("sweep");
  if (first === undefined || sweep === undefined) return {};
  const pruning = readPruning(sweep, first.scope);
  return pruning === undefined ? { isTrial: true } : { isTrial: true, pruning };
}

/** Completes the members of one template, with what they have in common. */
class Completer {
  readonly #template: TaskTemplate;
  readonly #index: TaskIndex;
  readonly #loading: Loading;
  readonly #policy: ReturnType<typeof matrixPolicy>;
  readonly #params: Readonly<Record<string, string>>;
  readonly #trial: Pick<Task, "isTrial" | "pruning">;

  constructor(template: TaskTemplate, index: TaskIndex, loading: Loading) {
    this.#template = template;
    this.#index = index;
    this.#loading = loading;
    this.#policy = matrixPolicy(template);
    this.#params = template.source.params.values;
    this.#trial = trialOf(template);
  }

  /** One literal without spreads: an object of this many keys spread together from parts is slow to make. */
  complete(member: Member): Task {
    const { reader, combination } = member;
    const [{ source }, loading] = [this.#template, this.#loading];
    const { deps, after } = readDeps(this.#template, member, this.#index, loading);
    const budget = this.#budget(member);
    const { axes, values, params } = combination;
    const { cwd, commands, env, envRecipe, actions } = this.#work(reader);
    return {
      id: member.id,
      key: member.key,
      template: this.#template.name,
      axes: axes.size > 0 ? fromEntries(axes) : NONE,
      slug: member.slug,
      aliases: reader.texts(reader.node("alias")),
      tags: reader.texts(reader.node("tags")),
      desc: reader.text(reader.node("desc")),
      hidden: reader.flag("hidden"),
      file: source.path,
      span: spanOf(this.#template.nameNode),
      deps: withInputs(deps, actions, member.targets),
      after: readAfter(this.#template, member, this.#index, after),
      uses: readUses(this.#template, member, this.#index),
      track: readTrack(commands, source),
      targets: member.targets,
      outputs: readOutputs(reader, source, loading),
      checkpoint: readCheckpoint(reader, source, loading),
      metrics: readMetrics(reader, source, loading),
      values: this.#path(reader, "values"),
      protect: reader.flag("protect"),
      actions,
      finally: readActions(reader.node("finally"), commands, source, loading),
      env,
      envRecipe,
      cwd,
      interactive: reader.flag("interactive"),
      params: values.size + params.size > 0 ? this.#paramsOf(combination) : this.#params,
      budget,
      budgetValues: budgetValues(budget, member),
      always: reader.flag("always"),
      frozen: reader.flag("frozen"),
      fresh: this.#fresh(commands),
      when: readCondition(reader.node("when"), member, loading),
      require: readRequire(member, loading),
      retries: readRetries(reader),
      requeue: readRequeue(reader),
      timeoutMs: reader.duration(reader.node("timeout")),
      hangAfterMs: reader.duration(reader.node("hang_after")),
      stop: readStop(reader),
      allowFailure: reader.flag("allow_failure"),
      priority: reader.number(reader.node("priority"), "a number", Number.isFinite) ?? 0,
      resources: readResources(reader),
      pools: readPools(reader, loading),
      maxParallel: this.#policy.maxParallel,
      failFast: this.#policy.failFast,
      isTrial: this.#trial.isTrial,
      pruning: this.#trial.pruning,
      backend: readBackend(reader, loading),
      backendOptions: readBackendOptions(this.#template.fields, reader, loading),
      container: reader.text(reader.node("container")),
      mounts: readMounts(reader),
      clean: readClean(commands, source, loading),
    };
  }

  /** What runs, with paths as they are seen from where it runs. */
  #work(reader: FieldReader): Pick<Task, "cwd" | "env" | "envRecipe" | "actions"> & {
    readonly commands: FieldReader;
  } {
    const [{ source }, loading] = [this.#template, this.#loading];
    const cwd = this.#path(reader, "cwd") ?? (source.folder || ".");
    const commands = reader.from(cwd);
    const actions = readActions(reader.node("actions"), commands, source, loading);
    return { cwd, commands, actions, ...taskEnv(commands, source, loading) };
  }

  #fresh(commands: FieldReader): string | undefined {
    const node = commands.node("fresh");
    return node && commands.command(node);
  }

  #paramsOf({ values, params }: Combination): Readonly<Record<string, string>> {
    const own = [...params.values()].map(({ name, text }) => [name, text] as const);
    return { ...this.#params, ...fromEntries(own), ...fromEntries(values) };
  }

  #path(reader: FieldReader, key: string): string | undefined {
    const text = reader.text(reader.node(key));
    if (text === undefined) return undefined;
    return resolvePath(text, this.#template.source.folder, this.#loading.root).path;
  }

  #budget(member: Member): readonly string[] {
    const budget = member.reader.texts(member.reader.node("budget"));
    checkBudget(budget, member, this.#loading);
    checkFreshness(member.reader);
    return budget;
  }
}

function readMounts(reader: FieldReader): Readonly<Record<string, string>> {
  const mounts = reader.node("mounts");
  return mounts === undefined ? NONE : readEnv(mounts, reader).env;
}

/** What actions read as standard input is a dep, unless the task makes it itself. */
function withInputs(
  deps: readonly Dep[],
  actions: readonly Action[],
  targets: readonly Target[],
): readonly Dep[] {
  if (actions.every(({ stdin }) => stdin === undefined)) return deps;
  const known = new Set(deps.map((dep) => (dep.kind === "glob" ? dep.pattern : dep.path)));
  const inputs = actions.flatMap(({ stdin: path, span }): Dep[] => {
    const isMade = targets.some((target) => isWithin(path ?? "", target.path));
    if (path === undefined || known.has(path) || isMade || DEVICES.test(path)) return [];
    known.add(path);
    const common = { name: undefined, from: undefined, optional: false, isInput: true } as const;
    const external = path.startsWith("/") || path.startsWith("../");
    return [{ kind: "file", path, check: "content", external, span, ...common }];
  });
  return [...deps, ...inputs];
}

/** They have no content that could change. */
const DEVICES = /^\/(?:dev|proc)\//;
