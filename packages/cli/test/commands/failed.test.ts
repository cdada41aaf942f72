import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const FILE = `version: 1
default: [good]
tasks:
  good: { targets: [good.txt], actions: ["echo > good.txt"] }
  bad: { targets: [bad.txt], actions: ["test -e cure && echo > bad.txt"] }
  after: { deps: [bad.txt], targets: [after.txt], actions: ["echo > after.txt"] }
  odd: { actions: ["false"], allow_failure: true }
  never: { targets: [never.txt], actions: ["echo > never.txt"] }
`;

describe("--failed", () => {
  it("takes up what failed, whoever asked for it, and what waited for that", async () => {
    const { flow, write } = projectFolder({ "flow.yaml": FILE });
    expect((await flow("run", "-q", "good", "after", "odd", "-k")).code).toBe(1);
    const plan = await flow("plan", "--failed", "--json");
    const { tasks } = JSON.parse(plan.stdout) as { tasks: { task: string }[] };
    expect(tasks.map(({ task }) => task)).toEqual(["bad", "after"]);
    write("cure", "");
    expect((await flow("run", "-q", "--failed")).code).toBe(0);
    expect((await flow("run", "--failed")).stderr).toBe(
      "nothing to do: no task has failed or was stopped\n",
    );
  });
});
