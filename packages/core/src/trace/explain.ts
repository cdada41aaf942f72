// Words for reasons: what changed, from what to what, in one line each.

import type { Reason } from "./trace.ts";

const longestShown = 80;
const digestShown = 8;
const digestPattern = /^[0-9a-f]{32,64}$/;

/** One reason as a phrase: `params.yaml: lr changed: 0.1 → 0.01`. */
export function describeReason(reason: Reason): string {
  const { component, name } = reason;
  switch (component) {
    case "forced":
      return "forced";
    case "always":
      return "set to run always";
    case "never-succeeded":
      return reason.new === undefined
        ? "never succeeded before"
        : "never succeeded before, though its targets are there (`flow accept` keeps them)";
    case "no-inputs-or-targets":
      return "has neither deps nor targets, so it runs every time";
    case "actions":
      return name === "" ? changed("commands", reason) : changed(`command ${name}`, reason);
    case "env":
      return name === "" ? changed("environment", reason) : changed(`environment ${name}`, reason);
    case "cwd":
      return changed("working directory", reason);
    case "shell":
    case "container":
      return changed(component, reason);
    case "track":
      return changed(name === "" ? "tracked values" : `tracked ${name}`, reason);
    case "dep-added":
      return `${name} is a new dep`;
    case "dep-removed":
      return `${name} is no longer a dep`;
    case "dep-content":
      return changed(name, reason);
    case "dep-changed-while-running":
      return `${name} changed while the task ran`;
    case "target-missing":
      return `${name} is missing`;
    case "target-modified":
      return `${name} was edited by hand`;
    case "target-lost":
      return `${name} lost its content when the machine went down`;
    case "target-bad":
      return `${name} has SHA-256 ${short(reason.old)}, expected ${short(reason.new)}`;
    case "target-used":
      return `${name} was removed after its last use, and ${reason.new ?? "a task"} needs it again`;
    case "value":
      return changed(`value ${name}`, reason);
    case "budget":
      return `budget ${name} raised: ${short(reason.old)} → ${short(reason.new)}`;
    case "fresh-command":
      return `\`${clip(name)}\` says so (${reason.new ?? ""})`;
    case "upstream":
      return `${name} runs first and may change what it needs`;
    default:
      return component satisfies never;
  }
}

/** Parameters that differ between the last success and now, as phrases. */
export function describeParams(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return names.flatMap((name) =>
    before[name] === now[name] ? [] : [`${name}: ${short(before[name])} → ${short(now[name])}`],
  );
}

function changed(what: string, { old, new: next }: Reason): string {
  if (old === undefined) return `${what} is new: ${short(next)}`;
  if (next === undefined) return `${what} is gone, was ${short(old)}`;
  const [from, to] = contrast(old, next);
  return `${what} changed: ${from} → ${to}`;
}

/** Two long texts are cut to the place where they begin to differ. */
function contrast(old: string, next: string): readonly [string, string] {
  const isShort = old.length <= longestShown && next.length <= longestShown;
  if (isShort || digestPattern.test(old)) return [short(old), short(next)];
  let same = 0;
  while (same < old.length && old[same] === next[same]) same++;
  const start = Math.max(0, same - longestShown / 4);
  const lead = start > 0 ? "…" : "";
  return [lead + clip(old.slice(start)), lead + clip(next.slice(start))];
}

function short(text: string | undefined): string {
  if (text === undefined) return "none";
  if (text === "") return '""';
  return digestPattern.test(text) ? text.slice(0, digestShown) : clip(text);
}

/** One line, not too long. */
function clip(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, "; ");
  return line.length > longestShown ? `${line.slice(0, longestShown - 1)}…` : line;
}
