// After a success: is everything there that was promised, and what did the inputs do meanwhile? It
// works on the attempt's own record alone, which may have been written by a flow that is gone.

import type { Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import type { Target } from "../model/task.ts";
import { valueText } from "./compare.ts";
import type { Digester } from "./digest.ts";
import type { Conclusion, DepState, TargetProblem, TargetState, Trace } from "./trace.ts";
import { absent } from "./trace.ts";

/** The record of a success, or what is wrong with its targets. */
export async function conclude(
  conclusion: Conclusion,
  digester: Digester,
): Promise<Result<Trace, readonly TargetProblem[]>> {
  const targets: TargetState[] = [];
  const problems: TargetProblem[] = [];
  for (const target of [...conclusion.targets, ...valuesTarget(conclusion)]) {
    const checked = await checkTarget(target, digester);
    if ("kind" in checked) problems.push(checked);
    else targets.push(checked);
  }
  if (problems.length > 0) return err(problems);
  const changed: string[] = [];
  for (const dep of conclusion.inputs.deps) {
    if (await hasChanged(dep, digester)) changed.push(dep.path);
  }
  const { inputs } = conclusion;
  return ok({
    version: 1,
    durationMs: conclusion.durationMs,
    task: conclusion.task,
    file: conclusion.file,
    run: conclusion.run,
    serial: conclusion.serial,
    endedAt: conclusion.endedAt,
    fingerprint: inputs.fingerprint,
    deps: inputs.deps,
    values: Object.fromEntries(
      Object.entries(inputs.values).map(([name, value]) => [name, valueText(value)]),
    ),
    targets,
    params: inputs.params,
    budget: inputs.budget,
    changed,
  });
}

type Checked = Pick<Target, "path" | "kind" | "nonempty" | "sha256" | "optional">;

/** The values file as a target, unless it is one already. */
function valuesTarget({ values, targets }: Conclusion): readonly Checked[] {
  if (values === undefined || targets.some(({ path }) => path === values)) return [];
  return [{ path: values, kind: "file", nonempty: true, sha256: undefined, optional: false }];
}

async function checkTarget(
  target: Checked,
  digester: Digester,
): Promise<TargetState | TargetProblem> {
  const { path } = target;
  const bad = (text: string): TargetProblem => ({
    kind: "bad",
    path,
    message: `Target \`${path}\` ${text}.`,
  });
  const found = await digester.look(path);
  if (found === undefined) {
    if (target.optional) return { path, digest: absent, signature: absent };
    return { kind: "missing", path, message: `Target \`${path}\` was not made.` };
  }
  if ("message" in found) return { kind: "bad", path, message: found.message };
  if (found.kind !== target.kind) {
    return bad(
      found.kind === "directory"
        ? `is a directory; write \`${path}/\` for a directory`
        : "is a file, but a directory was expected",
    );
  }
  if (target.nonempty && found.size === 0) return bad("is empty");
  if (target.sha256 !== undefined && found.digest !== target.sha256) {
    return bad(`has SHA-256 ${found.digest}, expected ${target.sha256}`);
  }
  const { digest, signature, changedNs } = found;
  return { path, digest, signature, changedNs: String(changedNs) };
}

/** Whether a dep holds something else than before the start. */
async function hasChanged(dep: DepState, digester: Digester): Promise<boolean> {
  const keys = Object.keys(dep.values ?? {});
  const found = await digester.look(dep.path, dep.check, dep, keys);
  if (found === undefined) return dep.digest !== absent;
  return "message" in found || found.digest !== dep.digest;
}
