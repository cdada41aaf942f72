/** What a run costs that waits for another. */
import { expect, it } from "vitest";
import { MemoryProject } from "./memory-project.ts";

it("a run that waits for many tasks of another asks no more often whether that lives than for one", async () => {
  const asked = async (tasks: number): Promise<number> => {
    const project = new MemoryProject();
    project.recipes = Array.from({ length: tasks }, (_, at) => ({
      name: `t${at}`,
      needs: [],
      version: 1,
      constant: true,
      ms: 60_000,
      fails: 0,
    }));
    const ends = await project.runTogether({ slots: tasks }, { slots: tasks });
    expect(ends.map((end) => end?.exitCode)).toEqual([0, 0]);
    expect(project.executed).toHaveLength(tasks);
    return project.askedOfLocks;
  };
  const [one, many] = [await asked(1), await asked(20)];
  expect(many).toBeLessThan(2 * one);
});
