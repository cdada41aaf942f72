// Names of tasks: what they may look like, and what is made of them.

import { hash } from "node:crypto";
import type { TaskId, TaskKey } from "../model/ids.ts";
import { taskId, taskKey } from "../model/ids.ts";

/** A task's name as written in a flow file. */
export const TASK_NAME: RegExp = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** A name that templates, expressions and axes can use. */
export const IDENTIFIER: RegExp = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** An axis value as it stands in a task's id: `10.` stays, other characters are percent-encoded. */
function encodeValue(text: string): string {
  if (/^[\w.-]*$/.test(text)) return text;
  return encodeURIComponent(text).replace(
    /[!~*'()]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The text behind {@link encodeValue}; other text as it is. */
export function decodeValue(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `train@framework=torch,seed=0`; the template's name when there are no axes. */
export function memberId(template: string, axes: ReadonlyMap<string, string>): TaskId {
  if (axes.size === 0) return taskId(template);
  const members = [...axes].map(([axis, value]) => `${axis}=${encodeValue(value)}`);
  return taskId(`${template}@${members.join(",")}`);
}

/** A task's identity on disk; `file` is its flow file's path relative to the root. */
export function keyOf(file: string, id: TaskId): TaskKey {
  return taskKey(hash("sha256", `${file}\0${id}`).slice(0, 16));
}

const MAX_SLUG = 120;

/** An id as one path segment; long ones are cut and get a hash so that they stay apart. */
export function slugOf(id: TaskId): string {
  const safe = /^[\w.@=,%-]+$/.test(id)
    ? id
    : id.replace(/[^\w.@=,%-]/g, (character) => encodeURIComponent(character));
  if (safe.length <= MAX_SLUG) return safe;
  return `${safe.slice(0, MAX_SLUG - 13)}-${hash("sha256", id).slice(0, 12)}`;
}
