// What the templates of one task member can name.

import type { Report } from "../../diagnostics/report.ts";
import { didYouMean } from "../../diagnostics/suggest.ts";
import type { TaskId } from "../../model/ids.ts";
import type { Search } from "../../model/project.ts";
import type { Shell } from "../../model/task.ts";
import { EVERY_DEP } from "../../model/task.ts";
import type { BackendChecks } from "../backends.ts";
import type { MapNode } from "../document/node.ts";
import type { Combination } from "../matrix.ts";
import type { ParamTable } from "../params.ts";
import { paramValue } from "../params.ts";
import { asArgument, seenFrom } from "../../graph/paths.ts";
import type { Filling, Lookup, TemplateValue } from "../template/template.ts";

/** What all files of a project share while it is loaded. */
export interface Loading {
  /** Absolute. */
  readonly root: string;
  readonly report: Report;
  readonly sources: readonly { readonly path: string; readonly text: string }[];
  /** A variable of flow's own environment; asking is noted, for the cache of plans. */
  environment(name: string): string | undefined;
  /** Names under `secrets:` of all files. */
  readonly secrets: ReadonlySet<string>;
  /** Names under `pools:` of all files, with their capacity. */
  readonly pools: ReadonlyMap<string, number>;
  /** Names under `backends:` of all files, with their type. */
  readonly backends: ReadonlyMap<string, string>;
  /** The text of a file of flow's own, which the plan then depends on. */
  readonly readOptional: (path: string) => string | undefined;
  /** Searches by another program, found on the way. */
  readonly searches: (Search & { readonly users: string[] })[];
  readonly checks: BackendChecks | undefined;
  /** Task keys that are blocks of options for a backend. */
  readonly optionBlocks: readonly string[];
}

/** One flow file with what its tasks share. */
export interface FlowSource {
  readonly map: MapNode;
  /** Relative to the root. */
  readonly path: string;
  /** Its folder, relative to the root; empty when it is the root. */
  readonly folder: string;
  /** `ns/`, or empty. */
  readonly namespace: string;
  readonly params: ParamTable;
  /** Names of the parameters whose values come from the command line. */
  readonly given: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string>>;
  readonly shell: Shell;
  /** The names that are known from the start. */
  readonly lookup: Lookup;
}

/** The names that are known from the start: parameters and the environment. */
export function fileLookup(
  params: ParamTable,
  env: Readonly<Record<string, string>>,
  loading: Loading,
): Lookup {
  return (name) => {
    const [root, rest] = split(name);
    if (root === "params" && rest !== "") return params.lookup(rest);
    if (root === "env" && rest !== "") return environment(rest, env, loading);
    return unknownName(name, ["params", "env"]);
  };
}

function environment(
  name: string,
  env: Readonly<Record<string, string>>,
  loading: Loading,
): TemplateValue {
  if (loading.secrets.has(name)) return { kind: "secret", variable: name };
  const text = env[name] ?? loading.environment(name);
  if (text !== undefined) return { kind: "text", text };
  return {
    kind: "problem",
    code: "unknown-name",
    message: `the environment variable \`${name}\` is not set`,
    fix: `Set it, or give it a value under \`env:\` in the flow file.`,
  };
}

/** Paths with names, as templates see targets and deps. */
export interface NamedPaths {
  readonly all: readonly string[];
  readonly named: ReadonlyMap<string, TemplateValue>;
  /** Set when the paths are only known once the task is ready. */
  readonly isLate: boolean;
}

/** Everything a member's templates can name; targets and deps become known on the way. */
export class MemberScope implements Filling {
  readonly #source: FlowSource;
  readonly #member: Combination;
  readonly #id: TaskId;
  readonly #template: string;
  readonly #slug: string;
  readonly #root: string;
  #budget: readonly string[] = [];
  #targets: NamedPaths | undefined;
  #deps: NamedPaths | undefined;
  readonly report: Report;
  readonly sources: Filling["sources"];

  constructor(
    source: FlowSource,
    member: Combination,
    names: { readonly id: TaskId; readonly template: string; readonly slug: string },
    loading: Loading,
  ) {
    this.#source = source;
    this.#member = member;
    this.#id = names.id;
    this.#template = names.template;
    this.#slug = names.slug;
    this.#root = loading.root;
    this.report = loading.report;
    this.sources = loading.sources;
  }

  /** Names of the file's parameters. */
  get paramNames(): readonly string[] {
    return [...this.#source.params.names];
  }

  /** A parameter's text for this member: its axis of that name comes first. */
  paramText(name: string): string | undefined {
    const { values, params } = this.#member;
    return values.get(name) ?? params.get(name)?.text ?? this.#source.params.text(name);
  }

  /** Parameters that the recipe holds as placeholders. */
  setBudget(names: readonly string[]): void {
    this.#budget = names;
  }

  setTargets(targets: NamedPaths): void {
    this.#targets = targets;
  }

  setDeps(deps: NamedPaths): void {
    this.#deps = deps;
  }

  /** The meaning of a name in a template; paths as they are seen from the file's folder. */
  lookup(name: string): TemplateValue {
    return this.#lookup(name, this.#source.folder);
  }

  seenFrom(folder: string): Filling {
    const isHere = (folder === "." ? "" : folder) === this.#source.folder;
    if (isHere) return this;
    return {
      lookup: (name) => this.#lookup(name, folder),
      seenFrom: (other) => this.seenFrom(other),
      report: this.report,
      sources: this.sources,
    };
  }

  #lookup(name: string, folder: string): TemplateValue {
    const [root, rest] = split(name);
    switch (root) {
      case "params":
        return this.#param(name, rest);
      case "matrix":
        return this.#matrixValue(rest);
      case "task":
        return this.#taskName(rest);
      case "target":
        return rest === "" ? this.#seen(this.#onlyTarget(), folder) : unknownName(name, ROOTS);
      case "targets":
        return this.#seen(pathsValue("targets", rest, this.#targets), folder);
      case "deps":
        return this.#seen(pathsValue("deps", rest, this.#deps), folder);
      case "env":
        return this.#source.lookup(name);
      default:
        return unknownName(name, ROOTS);
    }
  }

  /** A value that is a path, or several, from the folder where it is used. */
  #seen(value: TemplateValue, folder: string): TemplateValue {
    if (folder === "" || folder === ".") return value;
    const see = (path: string): string => asArgument(seenFrom(folder, path, this.#root));
    if (value.kind === "text") return { ...value, text: see(value.text) };
    return value.kind === "list" ? { ...value, items: value.items.map(see) } : value;
  }

  #param(name: string, rest: string): TemplateValue {
    const axis = this.#member.values.get(rest);
    const own = this.#member.params.get(rest);
    const value: TemplateValue =
      axis !== undefined
        ? { kind: "text", text: axis }
        : own === undefined
          ? this.#source.lookup(name)
          : paramValue(own);
    const isBudget = value.kind === "text" && this.#budget.includes(rest);
    return isBudget ? { ...value, placeholder: `\${{ ${name} }}` } : value;
  }

  #matrixValue(axis: string): TemplateValue {
    const text = this.#member.values.get(axis);
    if (text !== undefined) return { kind: "text", text };
    const names = [...this.#member.values.keys()];
    return {
      kind: "problem",
      code: "unknown-axis",
      message:
        names.length === 0
          ? "this task has no matrix"
          : `\`${this.#id}\` has no matrix value \`${axis}\``,
      fix:
        didYouMean(axis, names) ??
        (names.length === 0
          ? `Give it one: \`matrix: { ${axis}: […] }\`.`
          : `It has: ${names.join(", ")}.`),
    };
  }

  #taskName(rest: string): TemplateValue {
    if (rest === "id") return { kind: "text", text: this.#id };
    if (rest === "name") return { kind: "text", text: this.#template };
    if (rest === "slug") return { kind: "text", text: this.#slug };
    return unknownName(`task.${rest}`, ["task.id", "task.name", "task.slug"]);
  }

  #onlyTarget(): TemplateValue {
    if (this.#targets === undefined) return notHere("target");
    const { all } = this.#targets;
    const [only] = all;
    if (only !== undefined && all.length === 1) return { kind: "text", text: asArgument(only) };
    const names = [...this.#targets.named.keys()].map((key) => `targets.${key}`);
    return {
      kind: "problem",
      code: "ambiguous-target",
      message: `\`target\` means the only target, but \`${this.#id}\` has ${all.length === 0 ? "none" : all.length}`,
      fix: names.length === 0 ? undefined : `Write one of ${names.join(", ")}.`,
    };
  }
}

const ROOTS = ["params", "matrix", "target", "targets", "deps", "task", "env"];

function split(name: string): readonly [string, string] {
  const dot = name.indexOf(".");
  return dot === -1 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1)];
}

function pathsValue(kind: string, rest: string, paths: NamedPaths | undefined): TemplateValue {
  if (paths === undefined) return notHere(kind);
  if (rest === "") {
    return paths.isLate
      ? { kind: "late", dep: EVERY_DEP }
      : { kind: "list", items: paths.all.map(asArgument) };
  }
  const value = paths.named.get(rest);
  if (value !== undefined) return value;
  const names = [...paths.named.keys()];
  return {
    kind: "problem",
    code: "unknown-name",
    message: `there is no \`${kind}.${rest}\` in this task`,
    fix:
      didYouMean(rest, names) ??
      (names.length === 0
        ? `Name them: \`${kind}:\` as a map from name to path.`
        : `There is: ${names.join(", ")}.`),
  };
}

function notHere(kind: string): TemplateValue {
  return {
    kind: "problem",
    code: "unknown-name",
    message: `\`${kind}\` is not known here yet`,
    fix: "Targets may name params, matrix, task and env; deps may name targets too.",
  };
}

function unknownName(name: string, known: readonly string[]): TemplateValue {
  const [root] = split(name);
  return {
    kind: "problem",
    code: "unknown-name",
    message: `\`${name}\` means nothing here`,
    fix:
      didYouMean(known[0]?.includes(".") === true ? name : root, known) ??
      `Known: ${known.join(", ")}.`,
  };
}
