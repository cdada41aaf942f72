// Targets: what a task makes, and how templates name it.

import type { Target } from "../../model/task.ts";
import type { Node, ScalarNode } from "../document/node.ts";
import { asList, child, spanOf } from "../document/node.ts";
import { asArgument } from "../../graph/paths.ts";
import { isGlob, resolvePath } from "../paths.ts";
import type { TemplateValue } from "../template/template.ts";
import { fillItems } from "../template/template.ts";
import { type FieldReader, present } from "./fields.ts";
import type { FlowSource, Loading, MemberScope, NamedPaths } from "./scope.ts";

/**
 * Reads the targets of a member and makes them known in its scope: a list, one target, or a map by
 * name; a map with `path` is one target.
 */
export function readTargets(
  reader: FieldReader,
  scope: MemberScope,
  source: FlowSource,
  loading: Loading,
): readonly Target[] {
  const node = reader.node("targets");
  if (node === undefined) {
    scope.setTargets(NO_PATHS);
    return NO_TARGETS;
  }
  const read = (name: string | undefined, entry: Node): readonly Target[] =>
    readTarget(name, entry, reader, source, loading);
  let targets: readonly Target[];
  let named = NO_NAMES;
  if (node.kind === "map" && !node.entries.has("path")) {
    const made = [...node.entries].map(([name, { value }]) => [name, read(name, value)] as const);
    targets = made.flatMap(([, one]) => one);
    named = new Map(made.map(([name, one]) => [name, asValue(one)]));
  } else {
    const [first, ...others] = asList(node);
    targets = first === undefined ? NO_TARGETS : read(undefined, first);
    if (others.length > 0) targets = [targets, ...others.map((one) => read(undefined, one))].flat();
  }
  scope.setTargets({ all: targets.map((target) => target.path), named, isLate: false });
  return targets;
}

const NO_TARGETS: readonly Target[] = [];
const NO_NAMES: NamedPaths["named"] = new Map();
const NO_PATHS: NamedPaths = { all: [], named: NO_NAMES, isLate: false };

function asValue(targets: readonly Target[]): TemplateValue {
  const [only] = targets;
  if (only !== undefined && targets.length === 1)
    return { kind: "text", text: asArgument(only.path) };
  return { kind: "list", items: targets.map((target) => asArgument(target.path)) };
}

function readTarget(
  name: string | undefined,
  node: Node,
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): readonly Target[] {
  const pathNode = (node.kind === "map" ? child(node, "path") : node) as ScalarNode | undefined;
  if (pathNode === undefined) return NO_TARGETS;
  const targets = fillItems(pathNode, reader.filling).map((text): Target | undefined => {
    const { path, isDirectory, isOutside } = resolvePath(text, source.folder, loading.root);
    const problem = refuse(text, path, isOutside);
    if (problem !== undefined) {
      loading.report.error(problem.code, spanOf(pathNode), problem.message, { fix: problem.fix });
      return undefined;
    }
    return {
      name,
      kind: isDirectory ? "directory" : "file",
      path,
      nonempty: isTrue(child(node, "nonempty")),
      sha256: reader.text(child(node, "sha256"))?.toLowerCase(),
      optional: isTrue(child(node, "optional")),
      update: isTrue(child(node, "update")),
      untilUsed: child(node, "keep") !== undefined,
      span: spanOf(pathNode),
    };
  });
  return present(targets);
}

function refuse(
  text: string,
  path: string,
  isOutside: boolean,
):
  | { readonly code: "outside-root" | "bad-value"; readonly message: string; readonly fix: string }
  | undefined {
  if (text === "" || path === ".") {
    return {
      code: "bad-value",
      message: text === "" ? "this target is empty" : "a target cannot be the whole project",
      fix: "Name a file, or a folder with a trailing `/`.",
    };
  }
  if (isOutside) {
    return {
      code: "outside-root",
      message: `the target \`${path}\` lies outside the project`,
      fix: "Targets must lie in the project's root; set `root:` to a folder that holds them.",
    };
  }
  if (path === ".flow" || path.startsWith(".flow/")) {
    return {
      code: "outside-root",
      message: `the target \`${path}\` lies in flow's own folder`,
      fix: "Choose a place outside `.flow/`.",
    };
  }
  if (/[*?]/.test(path) && isGlob(path)) {
    return {
      code: "bad-value",
      message: `the target \`${path}\` is a pattern; a target is one file or one folder`,
      fix: "Name the folder that holds the files, with a trailing `/`.",
    };
  }
  return undefined;
}

const isTrue = (node: Node | undefined): boolean => node?.kind === "scalar" && node.value === true;
