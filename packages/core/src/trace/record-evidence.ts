// Decides, after a run that found everything fresh, whether that can be told from stat signatures
// alone next time, and leaves the evidence if so.

import type { Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { EvidenceTerms } from "./evidence.ts";
import { writeEvidence } from "./evidence.ts";
import { sha256 } from "./fingerprint.ts";
import type { PlanInputs } from "./plan-cache.ts";

export interface EvidenceRequest {
  /** Absolute path of the evidence file; its directory exists. */
  readonly file: string;
  /** Everything that was asked, as one text. */
  readonly request: string;
  /** What to say when there is nothing to do. */
  readonly summary: unknown;
  readonly tasks: readonly Task[];
  /** What the plan was made from. */
  readonly inputs: PlanInputs;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the inspector looked at. */
  readonly looked: ReadonlyMap<string, string | undefined>;
  /** The traces file (absolute) with the signature under which it was read or saved. */
  readonly traces: { readonly path: string; readonly signature: string | undefined };
  readonly fileSystem: FileSystem;
}

/** Returns whether evidence was left. The caller knows that every task is fresh and none warned. */
export function recordEvidence(request: EvidenceRequest): boolean {
  if (request.tasks.some(needsMoreThanStat)) return false;
  const { fileSystem } = request;
  const expected = new Map(request.looked);
  expected.set(request.traces.path, request.traces.signature ?? "");
  for (const signature of expected.values()) if (signature === undefined) return false;
  const digests = new Map(request.inputs.files.map(({ path, digest }) => [path, digest]));
  const confirm = (path: string): boolean => {
    if (expected.has(path)) {
      return (fileSystem.stat(path)?.signature ?? "") === expected.get(path);
    }
    const content = fileSystem.read(path);
    return (content === undefined ? undefined : sha256(content)) === digests.get(path);
  };
  const paths = [...new Set([...digests.keys(), ...expected.keys()])];
  return writeEvidence(request.file, termsOf(request), paths, confirm);
}

/** Judging these takes a command, a clock or an expression. */
const needsMoreThanStat = (task: Task): boolean =>
  task.actions.length > 0 &&
  (task.always ||
    task.fresh !== undefined ||
    task.when !== undefined ||
    task.require.length > 0 ||
    task.track.some(({ kind }) => kind === "cmd") ||
    (task.targets.length === 0 && task.deps.length === 0));

function termsOf({ tasks, inputs, env, request, summary }: EvidenceRequest): EvidenceTerms {
  const terms: Record<string, string | undefined> = { ...inputs.env };
  for (const task of tasks) {
    for (const track of task.track) {
      if (track.kind === "env") terms[track.name] = env[track.name];
    }
  }
  return { request, env: terms, summary };
}
