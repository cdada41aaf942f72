// Actions: shell commands, argument lists and scripts, with their templates filled in.

import type { Action, Shell, Text } from "../../model/task.ts";
import type { MapNode, Node, ScalarNode } from "../document/node.ts";
import { asList, child, entriesOf, spanOf, textOf } from "../document/node.ts";
import { quoteYaml } from "../document/yaml-error.ts";
import { resolvePath } from "../paths.ts";
import type { Filled } from "../template/template.ts";
import { fillArgv, fillShell, hasTemplate } from "../template/template.ts";
import { type FieldReader, present } from "./fields.ts";
import type { FlowSource, Loading } from "./scope.ts";

const NO_ENV: Readonly<Record<string, string>> = {};
const SUCCESS: readonly number[] = [0];

/** The actions in `node`: one command, one map, or a list of commands, argument lists and maps. */
export function readActions(
  node: Node | undefined,
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): readonly Action[] {
  if (node === undefined) return NO_ACTIONS;
  return present(asList(node).map((item) => readAction(item, reader, source, loading)));
}

const NO_ACTIONS: readonly Action[] = [];

function readAction(
  node: Node,
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): Action | undefined {
  if (node.kind === "scalar") {
    explainComment(node, loading);
    refuseEmpty(node, loading);
    return plain(source.shell, node, fillShell(node, reader.filling));
  }
  if (node.kind === "list") {
    return argv(node.items, node, plain(source.shell, node), reader, loading);
  }
  const kinds = ["run", "exec", "script"].filter((key) => node.entries.has(key));
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? "none" : kinds.map((kind) => `\`${kind}\``).join(" and ");
    loading.report.error(
      "missing-key",
      spanOf(node),
      `an action has one of \`run\`, \`exec\` and \`script\`, found ${found}`,
    );
    return undefined;
  }
  const cwd = reader.text(child(node, "cwd"));
  const place = cwd === undefined ? undefined : resolvePath(cwd, source.folder, loading.root).path;
  const here = place === undefined ? reader : reader.from(place);
  const base = { ...options(node, here, source, loading), cwd: place };
  const run = child(node, "run");
  const script = child(node, "script");
  if (run?.kind === "scalar") return { ...base, ...asShell(fillShell(run, here.filling)) };
  if (script?.kind === "scalar") return readScript(script, base, here, loading);
  return argv(asList(child(node, "exec")), node, base, here, loading);
}

/** Also of a `|` or `>` whose lines are not indented, which YAML takes for no text at all. */
function refuseEmpty({ text, file, start, end }: ScalarNode, { report }: Loading): void {
  if (text.trim() !== "") return;
  report.error("bad-value", { file, start, end }, "this command is empty", {
    fix: "Write it here, or below a `|` and indented further; else remove the line.",
  });
}

/** `- echo "a #b"` ends before the `#`, which is only noticed by the quote that is left open. */
function explainComment(node: ScalarNode, { report, sources }: Loading): void {
  const source = sources[node.file]?.text ?? "";
  const next = source.charAt(node.end);
  if (next !== " " && next !== "\t") return;
  const isOpen = node.text.split('"').length % 2 === 0 || node.text.split("'").length % 2 === 0;
  if (!isOpen || !/^[ \t]+#/.test(source.slice(node.end, node.end + 100))) return;
  const end = source.indexOf("\n", node.end);
  const line = source.slice(node.start, end === -1 ? undefined : end).trimEnd();
  report.error(
    "yaml-eats-shell",
    { file: node.file, start: node.end, end: node.start + line.length },
    "YAML reads ` #` as the start of a comment, and a quote of the command is left open",
    { fix: `Quote the whole command: - ${quoteYaml(line)}` },
  );
}

function plain(shell: Shell, node: Node, filled: Filled<Text> = EMPTY): Action {
  return {
    kind: "shell",
    text: filled.value,
    argv: [],
    shell,
    cwd: undefined,
    env: NO_ENV,
    timeoutMs: undefined,
    okExit: SUCCESS,
    stdin: undefined,
    recipe: filled.recipe,
    span: spanOf(node),
  };
}

const EMPTY: Filled<Text> = { value: "", recipe: "" };

const asShell = (filled: Filled<Text>): Pick<Action, "text" | "recipe"> => ({
  text: filled.value,
  recipe: filled.recipe,
});

function argv(
  nodes: readonly Node[],
  at: Node,
  base: Action,
  reader: FieldReader,
  loading: Loading,
): Action | undefined {
  const words = nodes.filter((node): node is ScalarNode => node.kind === "scalar");
  if (words.length === 0) {
    loading.report.error("bad-value", spanOf(at), "an argument list needs at least the program");
    return undefined;
  }
  const { value, recipe } = fillArgv(words, reader.filling);
  return { ...base, kind: "exec", argv: value, recipe };
}

function options(node: MapNode, reader: FieldReader, source: FlowSource, loading: Loading): Action {
  const stdin = reader.from(source.folder).text(child(node, "stdin"));
  const shell = child(node, "shell");
  const codes = asList(child(node, "ok_exit")).map((code) => Number(textOf(code)));
  const env = child(node, "env");
  return {
    ...plain(source.shell, node),
    shell: shell === undefined ? source.shell : (textOf(shell) as Shell),
    ...(env === undefined ? undefined : readEnv(env, reader)),
    timeoutMs: reader.duration(child(node, "timeout")),
    okExit: codes.length === 0 ? SUCCESS : codes,
    stdin: stdin === undefined ? undefined : resolvePath(stdin, source.folder, loading.root).path,
  };
}

/** Variables, filled in; `envRecipe` has those that enter the fingerprint in another form. */
export interface Variables {
  readonly env: Readonly<Record<string, string>>;
  readonly envRecipe?: Readonly<Record<string, string>>;
}

/** Variables by name, over those of `before`. */
export function fillVariables(
  nodes: Iterable<readonly [string, Node]>,
  reader: FieldReader,
  before: Readonly<Record<string, string>> = NO_ENV,
): Variables {
  const env: Record<string, string> = { ...before };
  const envRecipe: Record<string, string> = {};
  for (const [name, node] of nodes) {
    if (name.startsWith("x-")) continue;
    const { value, recipe } = reader.variable(node);
    env[name] = value;
    if (recipe !== value) envRecipe[name] = recipe;
  }
  return Object.keys(envRecipe).length === 0 ? { env } : { env, envRecipe };
}

/** Variables of a map, filled in. */
export const readEnv = (node: Node, reader: FieldReader): Variables =>
  fillVariables(
    [...entriesOf(node)].map(([name, { value }]) => [name, value] as const),
    reader,
  );

/**
 * A script without `#!` is a shell text. One with it is written to a file and started by its
 * interpreter, whose quoting flow does not know, so its templates must be `raw`.
 */
function readScript(
  node: ScalarNode,
  base: Action,
  reader: FieldReader,
  loading: Loading,
): Action | undefined {
  if (!node.text.startsWith("#!")) return { ...base, ...asShell(fillShell(node, reader.filling)) };
  if (hasTemplate(node.text.replace(/\$\{\{[^}]*\|\s*raw\s*\}\}/g, ""))) {
    loading.report.error(
      "bad-template",
      spanOf(node),
      "values cannot be quoted for the language of this script",
      { fix: "Read them from the environment ($FLOW_PARAM_…), or insert them with `| raw`." },
    );
    return undefined;
  }
  const delimiter = unusedDelimiter(node.text);
  const text = [
    'flow_script=$(mktemp "${FLOW_TMP_DIR:-${TMPDIR:-/tmp}}/script.XXXXXX")',
    `cat > "$flow_script" <<'${delimiter}'`,
    node.text.replace(/\n?$/, ""),
    delimiter,
    'chmod +x "$flow_script"',
    '"$flow_script" && flow_code=0 || flow_code=$?',
    'rm -f "$flow_script"',
    "exit $flow_code",
  ].join("\n");
  const filled = fillShell({ ...node, text }, reader.filling);
  return { ...base, text: filled.value, recipe: node.text };
}

function unusedDelimiter(text: string): string {
  let delimiter = "FLOW_SCRIPT";
  while (text.includes(delimiter)) delimiter += "_";
  return delimiter;
}

const PROGRAMS =
  /^(?:sh|bash|zsh|python[\d.]*|node|npm|npx|make|cmake|perl|ruby|Rscript|R|java|julia|cargo|go|git|docker|torchrun|srun|mpirun|cp|mv|rm|mkdir|cat|echo|touch)$/;

/** `actions: [sh, t.sh]` is two commands, and was probably meant as one. */
export function warnAboutArgv(node: Node | undefined, loading: Loading): void {
  if (node?.kind !== "list" || node.items.length < 2) return;
  const words = node.items.map((item) => (item.kind === "scalar" ? item.text : " "));
  const isOneCommand = PROGRAMS.test(words[0] ?? "") && words.every((word) => !/\s/.test(word));
  if (!isOneCommand || words.slice(1).some((word) => PROGRAMS.test(word))) return;
  loading.report.warn(
    "actions-look-like-argv",
    spanOf(node),
    `these are ${words.length} commands, run one after the other`,
    { fix: `For one command write a list in the list: [[${words.join(", ")}]]` },
  );
}
