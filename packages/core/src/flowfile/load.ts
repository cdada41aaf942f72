// A flow file, with its includes, parameters and environment, to a project; or to diagnostics that
// point into the files. Reads, never writes, and runs nothing.

import { basename, dirname, join } from "node:path/posix";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { Report } from "../diagnostics/report.ts";
import type { SourceFile } from "../diagnostics/source.ts";
import type { Project } from "../model/project.ts";
import type { Shell, Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { BackendChecks } from "./backends.ts";
import { BUILT_IN_BACKENDS, backendTypes, readBackends } from "./backends.ts";
import { child, entriesOf, spanOf, textOf } from "./document/node.ts";
import { readFileEnv } from "./environment.ts";
import { findFlowFile } from "./find.ts";
import type { GivenParam, ParamOverride } from "./overrides.ts";
import { paramOverrides } from "./overrides.ts";
import { ParamTable } from "./params.ts";
import type { InputFile, ReadFile, ReadProject } from "./read-files.ts";
import { FileReader, folderIn, type KnownDocuments, pathIn } from "./read-files.ts";
import { completeTasks, type PlainTasks } from "./tasks/complete.ts";
import { declareTask, namesIn, outlineTasks } from "./tasks/declare.ts";
import { ownerOf, planSweep } from "./sweep/sweep.ts";
import { fullName } from "./sweep/usage.ts";
import { TaskIndex } from "./tasks/references.ts";
import type { FlowSource, Loading } from "./tasks/scope.ts";
import { fileLookup } from "./tasks/scope.ts";

export type { BackendChecks } from "./backends.ts";

export interface LoadRequest {
  /** Absolute; absent: looked for from `directory` upward. */
  readonly file: string | undefined;
  /** Where the person stands; absolute. */
  readonly directory: string;
  /** From the command line; later ones win. */
  readonly params: readonly GivenParam[];
  /** Absolute; absent: none. */
  readonly paramsFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fileSystem: FileSystem;
  readonly checkBackend?: BackendChecks;
  /** What an earlier load of the same project has read; added to. Absent: everything is read. */
  readonly known?: KnownDocuments;
}

export interface LoadResult {
  /** Absent when there is any error. */
  readonly project: Project | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** Spans index it. */
  readonly sources: readonly SourceFile[];
  /** Everything the result depends on. */
  readonly inputs: {
    readonly files: readonly InputFile[];
    readonly env: Readonly<Record<string, string | undefined>>;
  };
  /** Values that dotenv files give to variables under `secrets:`; never part of the project. */
  readonly secretValues: Readonly<Record<string, string>>;
}

/** Reads the project that `request` names. Never throws for what a file can hold. */
export function loadProject(request: LoadRequest): LoadResult {
  const report = new Report();
  const chosen = request.file === undefined ? chooseFile(request, report) : undefined;
  const file = request.file ?? chosen?.file;
  const reader = new FileReader(
    dirname(file ?? request.directory),
    report,
    request.fileSystem,
    request.known,
  );
  for (const path of chosen?.preferred ?? []) reader.noteAbsent(path);
  const loader = new Loader(request, report, reader);
  const project = file === undefined ? undefined : loader.load(file);
  return {
    project: report.errors === 0 ? project : undefined,
    diagnostics: report.diagnostics,
    sources: reader.sources,
    inputs: { files: reader.inputs, env: loader.usedEnv },
    secretValues: loader.secretValues,
  };
}

/** `preferred`: files that would have been taken had they been there. */
function chooseFile(
  request: LoadRequest,
  report: Report,
): { readonly file: string; readonly preferred: readonly string[] } | undefined {
  const found = findFlowFile(request.directory, request.fileSystem);
  if (found.kind === "found") {
    const candidates = found.searched.map((folder) => join(folder, "flow.yaml"));
    return { file: found.file, preferred: candidates.filter((path) => path !== found.file) };
  }
  if (found.kind === "several") {
    const names = found.files.map((path) => basename(path)).join(", ");
    report.error(
      "ambiguous-flow-file",
      undefined,
      `there are several flow files in ${dirname(found.files[0] ?? "")}, and none is called flow.yaml: ${names}`,
      {
        fix: "Say which one with -f.",
      },
    );
  } else {
    const [first = ""] = found.searched;
    report.error(
      "no-flow-file",
      undefined,
      `there is no flow.yaml and no *.flow.yaml in ${first} or in a folder above it`,
      {
        fix: "Name a file with -f, go to the project with -C, or write one with `flow init`.",
      },
    );
  }
  return undefined;
}

/** One load. */
class Loader {
  readonly usedEnv: Record<string, string | undefined> = {};
  secretValues: Readonly<Record<string, string>> = {};
  readonly #request: LoadRequest;
  readonly #report: Report;
  readonly #reader: FileReader;

  constructor(request: LoadRequest, report: Report, reader: FileReader) {
    this.#request = request;
    this.#report = report;
    this.#reader = reader;
  }

  load(file: string): Project | undefined {
    const read = this.#reader.readProject(file);
    if (read === undefined) return undefined;
    // What does not have the right shape cannot be read further without saying everything twice.
    if (this.#report.errors > 0) return undefined;
    const loading = this.#loading(read);
    const overrides = paramOverrides(this.#request, this.#reader, this.#report, read.files);
    const sources = this.#flowSources(read, overrides.params, loading);
    const outlines = sources.flatMap((source) => outlineTasks(source, loading));
    const sweep = planSweep(overrides, sources, outlines, loading);
    const templates = outlines.map((outline) => declareTask(outline, sweep, loading));
    const index = new TaskIndex(templates, this.#report);
    const models: PlainTasks = new Map();
    const tasks = templates.flatMap((template) => completeTasks(template, index, loading, models));
    if (tasks.length === 0 && loading.searches.length === 0 && this.#report.errors === 0) {
      const start = { file: read.files[0]?.map.file ?? 0, start: 0, end: 0 };
      this.#report.error("empty-file", start, `\`${basename(file)}\` has no tasks`, {
        fix: "Write `tasks:` with at least one task.",
      });
    }
    return this.#project(read, sources, tasks, loading);
  }

  #loading(read: ReadProject): Loading {
    const maps = read.files.map(({ map }) => map);
    const pools = new Map<string, number>();
    for (const map of maps) {
      for (const [name, { value }] of entriesOf(child(map, "pools"))) {
        const capacity = Number(textOf(value));
        const known = pools.get(name);
        if (known !== undefined && known !== capacity) {
          this.#report.error(
            "conflict",
            spanOf(value),
            `the pool \`${name}\` has ${known} in another file and ${capacity} here`,
          );
        }
        pools.set(name, capacity);
      }
    }
    const backends = new Map(maps.flatMap((map) => [...backendTypes(map)]));
    return {
      root: read.root,
      report: this.#report,
      sources: this.#reader.sources,
      environment: (name) => {
        const value = this.#request.env[name];
        this.usedEnv[name] = value;
        return value;
      },
      secrets: new Set(maps.flatMap((map) => namesIn(map, "secrets"))),
      pools,
      backends,
      optionBlocks: [...new Set([...BUILT_IN_BACKENDS, ...backends.keys()])],
      readOptional: (path) => this.#reader.optional(path),
      searches: [],
      checks: this.#request.checkBackend,
    };
  }

  #flowSources(
    read: ReadProject,
    overrides: readonly ParamOverride[],
    loading: Loading,
  ): readonly FlowSource[] {
    const shares = shareOut(overrides, read.files);
    return read.files.map((one, position) => {
      const params = new ParamTable(one.map, shares[position] ?? [], this.#report);
      const { env, secretValues } = readFileEnv(one, params, this.#reader, loading);
      this.secretValues = { ...this.secretValues, ...secretValues };
      const shell = child(one.map, "shell");
      return {
        map: one.map,
        path: pathIn(read.root, one.file),
        folder: folderIn(read.root, one.file),
        namespace: one.namespace,
        given: new Set(
          (shares[position] ?? []).flatMap(({ name, isGiven }) => (isGiven ? name : [])),
        ),
        params,
        env,
        shell: shell === undefined ? "sh" : (textOf(shell) as Shell),
        lookup: fileLookup(params, env, loading),
      };
    });
  }

  #project(
    read: ReadProject,
    sources: readonly FlowSource[],
    tasks: readonly Task[],
    loading: Loading,
  ): Project | undefined {
    const [top] = read.files;
    const [source] = sources;
    if (top === undefined || source === undefined) return undefined;
    const text = (key: string): string | undefined => {
      const node = child(top.map, key);
      return node === undefined ? undefined : textOf(node);
    };
    const all = (key: string): readonly string[] => [
      ...new Set(read.files.flatMap(({ map }) => namesIn(map, key))),
    ];
    const code = (key: string): readonly string[] =>
      read.files.flatMap(({ map }) => {
        const node = child(map, "code");
        return node?.kind === "map" ? namesIn(node, key) : [];
      });
    const jobs = child(top.map, "jobs");
    const compat = all("compat");
    return {
      name: text("name"),
      description: text("description"),
      root: read.root,
      file: top.file,
      sources: this.#reader.sources.map(({ path }) => path),
      workspace: text("workspace"),
      experiment: text("experiment"),
      tasks,
      default: namesIn(top.map, "default"),
      jobs: jobs === undefined ? undefined : Number(textOf(jobs)),
      pools: Object.fromEntries(loading.pools),
      backends: sources.flatMap(({ map, lookup }) => {
        const filling = { lookup, report: this.#report, sources: loading.sources };
        return readBackends(map, filling, loading.checks);
      }),
      secrets: [...loading.secrets],
      ...(loading.searches.length === 0 ? {} : { searches: loading.searches }),
      compat: child(top.map, "compat") === undefined ? DEFAULT_COMPAT : compat,
      ignore: all("ignore"),
      code: { include: code("include"), omit: code("omit") },
      params: Object.fromEntries(
        sources.flatMap(({ namespace, params }) =>
          Object.entries(params.values).map(([name, value]) => [fullName(namespace, name), value]),
        ),
      ),
    };
  }
}

const DEFAULT_COMPAT = ["xt", "batchai"];

/** Gives each override to the file it is for: `ns.name` to the include `ns` unless the top file has it. */
function shareOut(
  overrides: readonly ParamOverride[],
  files: readonly ReadFile[],
): readonly (readonly ParamOverride[])[] {
  const shares: ParamOverride[][] = files.map(() => []);
  for (const override of overrides) {
    const { owner, local } = ownerOf(override.name, files);
    shares[owner]?.push({ ...override, name: local });
  }
  return shares;
}
