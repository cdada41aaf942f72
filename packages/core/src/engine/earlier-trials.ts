// What the trials of a sweep told in earlier runs, so that a rule to stop early knows them too.

import type { Pruning } from "../model/task.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import { Trials } from "./pruning.ts";
import type { Services } from "./services.ts";
import { openStory } from "./settle.ts";

/** The trials of a template that have ended before. */
export function earlierTrials(
  pruning: Pruning,
  template: string,
  { tasks, layout, files }: Pick<Services, "tasks" | "layout" | "files">,
): Trials {
  const trials = new Trials(pruning);
  for (const task of tasks) {
    if (task.template !== template) continue;
    const last = lastAttempt(layout, task.key, files);
    if (last?.record === undefined || last.result === undefined) continue;
    for (const event of openStory(last.record, last.directory, files).read(true)) {
      if (event.kind === "metrics") trials.saw(task.id, event.step, event.values);
    }
  }
  return trials;
}
