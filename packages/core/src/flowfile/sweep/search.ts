// `sweep:` of a task: its trials as members of a matrix, and the rule that ends poor ones early.

import { taskId } from "../../model/ids.ts";
import type { Pruning } from "../../model/task.ts";
import type { MapNode, Node } from "../document/node.ts";
import { asList, child, describe, entriesOf, spanOf, textOf, toValue } from "../document/node.ts";
import { IDENTIFIER, keyOf } from "../names.ts";
import type { Combination, Matrix } from "../matrix.ts";
import { expandMatrix } from "../matrix.ts";
import { expandRange, MAX_MEMBERS } from "../range.ts";
import { scalarValue } from "../scalar.ts";
import type { Filling } from "../template/template.ts";
import { fillText } from "../template/template.ts";
import { readSearchLog, searchLog } from "./search-log.ts";
import type { Loading } from "../tasks/scope.ts";
import { choice, type Distribution, readDistribution, shareOf } from "./distributions.ts";

/** The task that has the sweep. */
export interface SweepPlace {
  /** With namespace. */
  readonly template: string;
  /** Its flow file and that one's folder, relative to the root. */
  readonly file: string;
  readonly folder: string;
  readonly hidden: boolean;
  readonly loading: Pick<Loading, "root" | "readOptional" | "searches">;
}

const NO_TRIALS: Matrix = { axisNames: [], members: [] };

/** The trials of a sweep; reports and leaves out what is wrong. */
export function expandSweep(node: MapNode, filling: Filling, place: SweepPlace): Matrix {
  const params = child(node, "params");
  const method = textOf(child(node, "method") ?? node) || "grid";
  const { report } = filling;
  const refuse = (at: Node, message: string, fix?: string): Matrix => {
    report.error("bad-sweep", spanOf(at), message, { fix });
    return NO_TRIALS;
  };
  if (method === "external") return external(node, filling, place);
  if (params === undefined)
    return refuse(node, "this sweep varies nothing", "Write `params:` with what it varies.");
  if (method === "list") {
    if (params.kind !== "list") {
      return refuse(params, `the method \`list\` takes a list of maps, found ${describe(params)}`);
    }
    const matrix = expandMatrix(listed(params.items, node), filling);
    const names = new Set(matrix.members.flatMap(({ axes }) => [...axes.keys()]));
    return { ...matrix, axisNames: [...names] };
  }
  if (params.kind !== "map") {
    return refuse(
      params,
      `\`params\` must be a map from name to values, found ${describe(params)}`,
    );
  }
  return method === "random" ? random(node, params, filling) : expandMatrix(params, filling);
}

/** Trials that were asked for so far; the search itself is noted for whoever runs the project. */
function external(node: MapNode, filling: Filling, place: SweepPlace): Matrix {
  const [command, objective] = [child(node, "command"), child(node, "objective")];
  const missing = [
    ...(command === undefined ? ["`command`, the program that thinks up trials"] : []),
    ...(child(node, "trials") === undefined ? ["`trials`, their number"] : []),
    ...(objective === undefined ? ["`objective`, such as `max metrics.val.acc`"] : []),
  ];
  if (command === undefined || objective === undefined || missing.length > 0) {
    const message = `an external search needs ${missing.join(" and ")}`;
    filling.report.error("bad-sweep", spanOf(node), message);
    return NO_TRIALS;
  }
  const found = readObjective(objective, filling);
  const trials = wholeNumber(node, "trials", filling);
  const batch = child(node, "batch") === undefined ? 1 : wholeNumber(node, "batch", filling);
  if (found === undefined || trials === undefined || batch === undefined) return NO_TRIALS;
  const { template, file, folder, hidden, loading } = place;
  const [params, seed] = [child(node, "params"), child(node, "seed")];
  const key = keyOf(file, taskId(template));
  const isArgv = command.kind === "list";
  loading.searches.push({
    ...found,
    template,
    key,
    command: isArgv
      ? command.items.map((item) => filledText(item, filling))
      : filledText(command, filling),
    folder,
    trials,
    batch,
    params: params === undefined ? {} : toValue(params),
    seed: seed === undefined ? undefined : filledText(seed, filling),
    hidden,
    users: [],
  });
  return trialsOf(loading.readOptional(`${loading.root}/${searchLog(key)}`) ?? "");
}

/** The trials of a log; what was asked for twice is one. */
function trialsOf(log: string): Matrix {
  const members = new Map<string, Combination>();
  for (const { params } of readSearchLog(log).trials) {
    const axes = new Map(Object.entries(params));
    members.set([...axes].join("\0"), { axes, values: axes, params: new Map() });
  }
  const names = new Set([...members.values()].flatMap(({ axes }) => [...axes.keys()]));
  return { axisNames: [...names], members: [...members.values()] };
}

/** A list of trials is a matrix without axes that includes them. */
function listed(items: readonly Node[], node: MapNode): MapNode {
  const place = { file: node.file, start: node.start, end: node.end };
  const key = { kind: "scalar", value: "include", text: "include", ...place } as const;
  const value = { kind: "list", items, ...place } as const;
  return { kind: "map", entries: new Map([["include", { key, value }]]), ...place };
}

function random(node: MapNode, params: MapNode, filling: Filling): Matrix {
  const { report } = filling;
  const before = report.errors;
  const wanted = wholeNumber(node, "trials", filling);
  if (wanted === undefined) {
    if (report.errors === before) {
      report.error("bad-sweep", spanOf(node), "a random search needs the number of its `trials`");
    }
    return NO_TRIALS;
  }
  const seed = child(node, "seed");
  const seedText = seed === undefined ? "0" : filledText(seed, filling);
  const axes = [...entriesOf(params)].flatMap(([name, { key, value }]) => {
    if (!IDENTIFIER.test(name)) {
      report.error("bad-name", spanOf(key), `\`${name}\` cannot be the name of an axis`, {
        fix: "Use letters, digits, `_` and `-`, starting with a letter.",
      });
    }
    const draw = distributionOf(value, name, filling);
    return draw === undefined ? [] : [{ name, draw }];
  });
  if (report.errors > before) return NO_TRIALS;
  const members = new Map<string, Combination>();
  // What is drawn again is no trial of its own; a small space is used up long before the limit.
  for (let number = 0; members.size < wanted && number < wanted * 20 + 100; number += 1) {
    const values = axes.map(
      ({ name, draw }) => [name, draw(shareOf(seedText, name, number))] as const,
    );
    const identity = values.map(([, text]) => text).join("\0");
    if (members.has(identity)) continue;
    members.set(identity, { axes: new Map(values), values: new Map(values), params: new Map() });
  }
  return { axisNames: axes.map(({ name }) => name), members: [...members.values()] };
}

/** `1..8`, a list, `loguniform(…)`, or one value. */
function distributionOf(node: Node, name: string, filling: Filling): Distribution | undefined {
  const { report } = filling;
  if (node.kind === "map") {
    report.error(
      "bad-sweep",
      spanOf(node),
      `\`${name}\` must be values or a distribution, found a map`,
      {
        fix: "Write `loguniform(1e-5, 1e-1)`, `1..8` or a list.",
      },
    );
    return undefined;
  }
  const texts = asList(node).map((item) => filledText(item, filling));
  const [only] = texts;
  if (node.kind === "scalar" && only !== undefined) {
    const read = readDistribution(only);
    if (typeof read === "function") return read;
    if (read !== undefined) {
      report.error("bad-sweep", spanOf(node), `\`${only}\` cannot be drawn from: ${read.problem}`);
      return undefined;
    }
  }
  return choice(texts.flatMap((text) => expandRange(text, spanOf(node), report)));
}

const filledText = (node: Node, filling: Filling): string =>
  node.kind === "scalar" ? fillText(node, filling) : "";

function wholeNumber(map: MapNode, key: string, filling: Filling): number | undefined {
  const node = child(map, key);
  if (node === undefined) return undefined;
  const text = filledText(node, filling);
  const value = scalarValue(text);
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_MEMBERS)
    return value;
  filling.report.error(
    "bad-sweep",
    spanOf(node),
    `\`${key}\` must be a whole number from 1 to ${MAX_MEMBERS}, found ${describe(node)}`,
  );
  return undefined;
}

/** `max metrics.val.acc`. */
export function readObjective(
  node: Node,
  filling: Filling,
): Pick<Pruning, "metric" | "direction"> | undefined {
  const text = filledText(node, filling).trim();
  const match = /^(max|min)\s+(?:metrics\.)?([\w./-]+)$/.exec(text);
  if (match?.[2] !== undefined)
    return { direction: match[1] === "min" ? "min" : "max", metric: match[2] };
  filling.report.error("bad-sweep", spanOf(node), `\`${text}\` is no objective`, {
    fix: "Write `max metrics.val.acc` or `min metrics.loss`.",
  });
  return undefined;
}

/** `stop:`; undefined without one. */
export function readPruning(sweep: Node | undefined, filling: Filling): Pruning | undefined {
  const stop = child(sweep, "stop");
  if (sweep?.kind !== "map" || stop === undefined) return undefined;
  const objective = child(sweep, "objective");
  if (objective === undefined) {
    filling.report.error("bad-sweep", spanOf(stop), "a rule to stop early needs an `objective`", {
      fix: "Write `objective: max metrics.val.acc`.",
    });
    return undefined;
  }
  const found = readObjective(objective, filling);
  const kind = stop.kind === "scalar" ? stop.text : [...entriesOf(stop)][0]?.[0];
  const settings = kind === undefined ? undefined : child(stop, kind);
  if (found === undefined || (kind !== "median" && kind !== "asha")) return undefined;
  const number = (key: string, otherwise: number): number =>
    settings?.kind === "map" && child(settings, key) !== undefined
      ? (wholeNumber(settings, key, filling) ?? otherwise)
      : otherwise;
  if (kind === "median") {
    return { ...found, rule: { kind, after: number("after", 1), trials: number("trials", 3) } };
  }
  const rule: Pruning["rule"] = {
    kind,
    first: number("min", 1),
    last: number("max", Number.MAX_SAFE_INTEGER),
    factor: number("eta", 3),
  };
  if (rule.factor > 1 && rule.last > rule.first) return { ...found, rule };
  filling.report.error(
    "bad-sweep",
    spanOf(stop),
    "`asha` needs `eta` above 1 and `max` above `min`",
  );
  return undefined;
}
