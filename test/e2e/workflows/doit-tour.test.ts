/** Every feature of the tour, seen by what it does. */
import { appendFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";

const FILE = ["-f", "doit-tour.flow.yaml"];

/** What ran, without what runs every time. */
async function rerun(project: FlowProject, ...args: readonly string[]): Promise<readonly string[]> {
  const flow = await project.runEvents(...FILE, ...args);
  expect(flow.code).toBe(0);
  return flow.tasks("task/done").filter((task) => !["clock", "later"].includes(task));
}

describe("workflows/doit-tour", () => {
  flowTest("makes everything as each task says", async ({ project }) => {
    project.copy("workflows");
    const flow = await project.runEvents(...FILE, "-n", "4");
    expect(flow.code).toBe(0);

    const tour = (name: string): string => project.read(`out/tour/${name}`);
    const words = ["one", "two", "three"].map((text) =>
      project
        .read(`doit-tour/texts/${text}.txt`)
        .split(/\s+/)
        .filter((word) => word !== ""),
    );
    const all = words.flat().length;
    expect(tour("words/two.txt").trim().split("\n")).toEqual(words[1]);
    expect(tour("sorted/one.txt").trim().split("\n")).toEqual([...new Set(words[0])].sort());
    expect(tour("total.txt")).toBe(`${all}\n`);
    expect(tour("index.txt")).toBe("one.html\nthree.html\ntwo.html\n");
    expect(tour("pages/one.html")).toBe(`<p>\n${project.read("doit-tour/texts/one.txt")}`);
    expect(tour("sheet.txt")).toContain("paper");
    expect(JSON.parse(tour("measure.json"))).toEqual({ words: all, unit: "words" });
    expect(tour("label.txt")).toBe(`${all} words\n`);
    expect(tour("greeting.txt")).toBe(
      "Hello, it's you from The Press, fresh from the press\ncopy 1 on 80 g\ncopy 2 on 80 g\n",
    );
    expect(tour("stamp.txt")).toBe("edition first\n");
    expect(project.has("out/tour/weekend.txt")).toBe(false);
    expect(flow.tasks("task/skipped")).toEqual(["weekend"]);
    expect(tour("probe.txt")).toBe("probed\n");
    expect(tour("later.txt")).toBe("tick\n");
    expect(tour("jobs/3.txt")).toBe("printed 3\n");
    expect(project.has("out/tour/press.lock")).toBe(false);
    expect(tour("flaky.txt")).toBe("attempt 2\n");
    expect(flow.tasks("task/again")).toEqual(["flaky"]);
    expect(JSON.parse(tour("argv.json"))).toEqual(["a b", "$HOME"]);
    expect(tour("found.txt").trim().split("\n")).toEqual(
      project.read("doit-tour/texts/two.txt").trim().split("\n").sort().reverse(),
    );
    expect(await flow.event("task/failed", { task: "broken" })).toMatchObject({ allowed: true });
  });

  flowTest("runs only what changed", async ({ project }) => {
    project.copy("workflows");
    await project.run("run", ...FILE);
    expect(await rerun(project)).toEqual([]);

    project.write("doit-tour/settings.yaml", `# hours\n${project.read("doit-tour/settings.yaml")}`);
    expect(await rerun(project)).toEqual([]);

    appendFileSync(project.path("doit-tour/texts/two.txt"), "more\n");
    expect([...(await rerun(project))].sort()).toEqual(
      [
        ...["words@text=two", "sorted@text=two", "total", "pages", "index"],
        ...["measure", "label", "tools"],
      ].sort(),
    );

    project.remove("out/tour/probe.txt");
    expect(await rerun(project)).toEqual(["probe"]);
    expect(await rerun(project, "-p", "who=Ada & Grace", "greet")).toEqual(["greet"]);
    expect(project.read("out/tour/greeting.txt")).toMatch(/^Hello, Ada & Grace from/);
    expect(await rerun(project, "-p", "weekend=true", "weekend")).toEqual(["weekend"]);

    const edition = project.start(["run", "--output", "json", ...FILE, "stamp"], {
      env: { TOUR_EDITION: "second" },
    });
    expect((await edition.ended).code).toBe(0);
    expect(project.read("out/tour/stamp.txt")).toBe("edition second\n");
  });

  flowTest("knows its tasks by tag, member, alias and exception", async ({ project }) => {
    project.copy("workflows");
    const members = ["words@text=one", "words@text=two", "words@text=three"];
    expect([...(await rerun(project, "tag:count", "!sorted"))].sort()).toEqual(
      [...members, "total"].sort(),
    );
    expect(await rerun(project, "sorted@text=two")).toEqual(["sorted@text=two"]);
    expect(await rerun(project, "sum")).toEqual([]);
  });

  flowTest("refuses what a `require` or a limit of a parameter forbids", async ({ project }) => {
    project.copy("workflows");
    const refused = await project.run("run", ...FILE, "-p", "copies=12", "greet");
    expect(refused.code).toBe(2);
    const required = await project.run(
      "run",
      ...FILE,
      "-p",
      "weekend=true",
      "-p",
      "copies=9",
      "weekend",
    );
    expect(required.code).toBe(1);
    expect(required.stderr).toContain("paper is scarce on Sundays");
  });
});
