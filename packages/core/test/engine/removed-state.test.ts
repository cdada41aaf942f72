/** What a run does when its state is taken away while it works. */
import { expect, it } from "vitest";
import { MemoryProject } from "./memory-project.ts";

it("ends as soon as its task has ended when its state was removed, and says what happened", async () => {
  const project = new MemoryProject();
  const quick = { needs: [], version: 1, constant: true, ms: 100, fails: 0 };
  project.recipes = [
    { name: "first", ...quick },
    { name: "second", ...quick, needs: ["first"] },
  ];
  const warnings: string[] = [];
  const result = await project.run({
    listener: (event) => {
      if (event.type === "task/started") project.disk.removeTree("/project/.flow");
      if (event.type === "warning") warnings.push(event.message);
    },
  });
  expect(result).toMatchObject({ exitCode: 3, counts: { done: 0 } });
  expect(warnings[0]).toMatch(
    /^cannot record how it ended: flow's own folder, or a part of it, was removed while it was in use/,
  );
  expect(project.executed).toEqual(["first"]);
  expect(project.clock.now()).toBeLessThan(1_000);
});
