import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const SCARCE = `version: 1
pools: { camera: 1 }
tasks:
  first: { pools: { camera: 1 }, actions: ["until [ -e go ]; do sleep 0.05; done"] }
  second: { pools: { camera: 1 }, actions: ["true"] }
  last: { after: [first], actions: ["true"] }
`;

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("what was waited for did not happen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const answers = async ({ flow }: ProjectFolder, task: string): Promise<string> =>
  (await flow("why", task)).stdout;

describe("a task that waits", () => {
  it("has its reason: what is short and who holds it, or what comes before it", async () => {
    const project = projectFolder({ "flow.yaml": SCARCE });
    const run = project.start("run", "-n", "4");
    const line = "second waits for pool camera: 1 of 1 needed, 0 free, held by first\n";
    await until(async () => (await project.flow("ps")).stdout.includes(line));
    expect(await answers(project, "second")).toMatch(
      /waits {5}in run \S+ for pool camera: 1 of 1 needed, 0 free, held by first\n/,
    );
    await until(async () =>
      /waits {5}in run \S+ for first \(running\)\n/.test(await answers(project, "last")),
    );
    project.write("go", "");
    expect(await run.code).toBe(0);
    expect(await answers(project, "second")).not.toContain("waits");
  });
});
