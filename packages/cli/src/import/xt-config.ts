// An XT configuration as a flow file: its compute targets as backends, its names, shares and images, what it takes along and
// brings back. XT takes the program on the command line, or from `commands`; the file has a task for each.

import {
  asMap,
  asText,
  compact,
  type Fields,
  type Imported,
  nameFrom,
  textsOf,
} from "./imported.ts";
import { type Known, leftOut } from "./left-out.ts";
import { type Share, shares } from "./xt-shares.ts";
import { type Target, targetOf, unused } from "./xt-targets.ts";

/** Keys that are carried over, or of which a sentence says what became of them. */
const KNOWN: Known = {
  "compute-targets": {
    "*": {
      service: true,
      boxes: true,
      setup: true,
      docker: true,
      nodes: true,
      "vm-size": true,
      "azure-image": true,
      "low-pri": true,
    },
  },
  "external-services": true,
  "xt-services": { storage: true, target: true },
  "azure-batch-images": true,
  dockers: true,
  setups: { "*": { activate: true, "pip-packages": true, "conda-packages": true } },
  general: { workspace: true, experiment: true, "env-vars": true },
  code: { "code-dirs": true, "code-omit": true, "working-dir": true },
  "after-files": { "after-dirs": true, "after-upload": true },
  data: { "data-action": true, "data-local": true, "data-share-path": true, "data-upload": true },
  model: { "model-action": true, "model-local": true, "model-share-path": true },
  commands: true,
};

const SECTIONS = [
  "compute-targets",
  "external-services",
  "xt-services",
  "general",
  "code",
  "setups",
];

export const isXt = (document: Fields): boolean => SECTIONS.some((each) => each in document);

export function importXt(document: Fields, folder: string): Imported {
  const notes: string[] = [];
  const general = asMap(document["general"]);
  const mounted = shares(document, notes);
  const targets = new Map<string, Target>();
  const declared = Object.entries(asMap(document["compute-targets"]));
  for (const [name, target] of declared) {
    const found = targetOf(name, asMap(target), document, notes);
    if (found !== undefined) targets.set(nameFrom(name, "target"), found);
  }
  const chosen = nameFrom(asText(asMap(document["xt-services"])["target"]) ?? "", "");
  const commands = textsOf(document["commands"]);
  const backends = [...targets].map(([name, { backend }]) => [name, withShares(backend, mounted)]);
  const file = compact({
    version: 1,
    name: nameFrom(folder, "xt"),
    workspace: asText(general["workspace"]),
    experiment: asText(general["experiment"]),
    compat: ["xt"],
    params:
      commands.length > 0
        ? undefined
        : { script: { type: "string", default: "main.py", help: "what `xt run` was given" } },
    env: variablesOf(general["env-vars"]),
    backends: Object.fromEntries(backends) as Fields,
    defaults: targets.has(chosen) ? { backend: chosen } : undefined,
    code: codeOf(asMap(document["code"]), notes),
    tasks: tasksOf(commands, document, mounted, targets.get(chosen)?.container, notes),
  });
  if (JSON.stringify(document["external-services"] ?? {}).includes('"key"'))
    notes.push(
      "Keys are not carried over: they are taken from AZURE_BATCH_ACCESS_KEY and AZURE_STORAGE_KEY.",
    );
  notes.push(...unused(document, targets));
  const left = leftOut({ ...document, "compute-targets": taken(declared, targets) }, KNOWN);
  return { file, notes: [...notes, ...left] };
}

/** Those of which there is more to say than that they are left out. */
const taken = (
  declared: readonly (readonly [string, unknown])[],
  targets: ReadonlyMap<string, Target>,
): Fields => Object.fromEntries(declared.filter(([name]) => targets.has(nameFrom(name, "target"))));

/** Nodes have a share mounted; on this machine its folder is there. */
function withShares(backend: Fields, mounted: readonly Share[]): Fields {
  if (backend["type"] !== "azure-batch") return backend;
  const uploads = mounted.flatMap(({ upload }) => (upload === undefined ? [] : [upload]));
  return compact({
    ...backend,
    mounts: Object.fromEntries(mounted.map(({ name, container }) => [name, { blob: container }])),
    upload: Object.fromEntries(uploads),
  });
}

function tasksOf(
  commands: readonly string[],
  document: Fields,
  mounted: readonly Share[],
  container: string | undefined,
  notes: string[],
): Fields {
  const cwd = asText(asMap(document["code"])["working-dir"])?.replace(/^(\.\/)*|\/+$/g, "") ?? ".";
  const outputs = outputsOf(asMap(document["after-files"]), cwd, notes);
  const exported = mounted.map(({ exports }) => exports).join("");
  const common = {
    container,
    cwd: cwd === "." ? undefined : cwd,
    mounts: Object.fromEntries(mounted.map(({ name, local }) => [name, local])),
    requeue: "always",
  };
  const task = (desc: string, action: unknown, targets: readonly Fields[]): Fields =>
    compact({
      desc,
      ...common,
      always: targets.length > 0 ? true : undefined,
      targets,
      actions: [action],
    });
  if (commands.length === 0) {
    const plain = ["python3", "${{ params.script }}"];
    const action = exported === "" ? plain : `${exported}${plain.join(" ")}`;
    return { run: task("What `xt run SCRIPT` ran: flow run -p script=SCRIPT", action, outputs) };
  }
  const [first, ...others] = commands;
  if (others.length > 0 && outputs.length > 0)
    notes.push("`after-dirs` is left out: give each of the tasks targets of its own.");
  const own = others.length > 0 ? [] : outputs;
  return Object.fromEntries(
    [first ?? "", ...others].map((command, index) => [
      `run-${index + 1}`,
      task("One of `commands`", `${exported}${startOf(command)}`, own),
    ]),
  );
}

/** XT starts a script by its ending. */
const startOf = (command: string): string =>
  /^\S+\.py(\s|$)/.test(command) ? `python3 ${command}` : command;

function variablesOf(value: unknown): Fields {
  const entries = Object.entries(asMap(value)).filter(
    ([, each]) => typeof each === "string" || typeof each === "number" || typeof each === "boolean",
  );
  return Object.fromEntries(entries.map(([name, each]) => [name, String(each)]));
}

function codeOf(code: Fields, notes: string[]): Fields {
  const include: string[] = [];
  for (const pattern of textsOf(code["code-dirs"])) {
    const inside = pattern.replace(/^\$scriptdir\//, "").replace(/^\.\//, "");
    if (inside === "**") continue;
    if (/^[$/~]|(^|\/)\.\.(\/|$)/.test(inside))
      notes.push(`\`${pattern}\` of \`code-dirs\` is left out: it is not in the project.`);
    else include.push(inside);
  }
  return compact({ include, omit: textsOf(code["code-omit"]) });
}

/** Folders that come back as targets, whatever is in them. */
function outputsOf(after: Fields, cwd: string, notes: string[]): readonly Fields[] {
  if (after["after-upload"] === false) return [];
  return textsOf(after["after-dirs"]).flatMap((pattern) => {
    const [, folder] = /^(?:\.\/)?([^*?$~/][^*?$]*)\/\*{1,2}$/.exec(pattern) ?? [];
    const path = `${cwd === "." ? "" : `${cwd}/`}${folder}/`;
    if (folder !== undefined) return [{ path, optional: true, update: true }];
    notes.push(`\`${pattern}\` of \`after-dirs\` is left out: it names no folder of the project.`);
    return [];
  });
}
