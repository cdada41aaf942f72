// What a run has to say of damage to what earlier runs wrote down: a line for each thing that is
// lost, with what became of it.

import type { ProjectState } from "@flow/core";
import { tasks } from "../report/summary.ts";

interface Damage extends Pick<ProjectState, "damaged"> {
  readonly traces: Pick<ProjectState["traces"], "damaged" | "recovered">;
}

export function damageNotes({ damaged: journals, traces }: Damage): readonly string[] {
  const { damaged: lines, recovered } = traces;
  const causes = journals.map(
    ({ path, bytes }) => `${bytes} bytes of ${path} are damaged and were left out`,
  );
  if (lines > 0) {
    const records = lines === 1 ? "record of a past success is" : "records of past successes are";
    causes.push(`${lines} ${records} damaged or of another version of flow`);
  }
  const isMissing = causes.length === 0 && recovered > 0;
  if (isMissing) causes.push("the record of past successes (.flow/traces) is missing");
  if (causes.length === 0) return [];
  const again = "runs again, unless `flow accept` takes what is there as it is";
  if (recovered === 0) return [...causes, `what was lost ${again}`];
  const whose =
    recovered === 1 ? "the success of 1 task was" : `successes of ${tasks(recovered)} were`;
  const back = `${whose} read back from the results of attempts`;
  const isAll = isMissing || (journals.length === 0 && recovered >= lines);
  return [...causes, isAll ? back : `${back}; what else was lost ${again}`];
}
