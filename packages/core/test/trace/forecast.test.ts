import { expect, test } from "vitest";
import { compilePlan, type Plan } from "../../src/graph/plan.ts";
import { select } from "../../src/graph/select.ts";
import { taskId } from "../../src/model/ids.ts";
import { describeReason } from "../../src/trace/explain.ts";
import { forecast } from "../../src/trace/forecast.ts";
import { files, graphOf, task } from "../graph/sketch.ts";
import { Bench } from "./bench.ts";

test("a forecast says what would run, what might, what cannot, and why", async () => {
  const tasks = [
    task("fetch", { deps: ["src"], targets: ["raw"] }),
    task("prepare", { deps: ["raw"], targets: ["clean"] }),
    task("train", { deps: ["clean", "missing.cfg"], targets: ["model"] }),
    task("notify", { after: [taskId("prepare")], deps: ["src"], targets: ["note"] }),
    task("stuck", { deps: ["missing.cfg"], targets: ["other"] }),
    task("steady", { targets: ["steady"] }),
  ];
  const bench = new Bench({ src: "1" });
  const graph = graphOf(tasks, files("src", "missing.cfg"));
  const selection = select(graph, []);
  const plan = selection.ok ? compilePlan(graph, selection.value) : undefined;
  const [fetch, prepare, , notify, , steady] = tasks as [never, never, never, never, never, never];
  const make = (name: string) => (): void => bench.write(name, name);
  await bench.run(fetch, make("raw"));
  await bench.run(prepare, make("clean"));
  await bench.run(notify, make("note"));
  await bench.run(steady, make("steady"));
  bench.remove("raw");
  const prospects = await forecast(plan as Plan, bench.inspector(), () => false);
  const words = prospects.map(({ verdict, reasons, problems }) =>
    [verdict, ...reasons.map(describeReason), ...problems.map(({ message }) => message)].join("; "),
  );
  expect(words).toEqual([
    "stale; raw is missing",
    "stale; fetch runs first and may change what it needs",
    "stale; prepare runs first and may change what it needs",
    "fresh",
    "impossible; `missing.cfg` does not exist.",
    "fresh",
  ]);
  bench.write("raw", "raw");
  bench.write("src", "2");
  const later = await forecast(plan as Plan, bench.inspector(), () => false);
  expect(later.map(({ verdict }) => verdict)).toEqual([
    "stale",
    "pending",
    "stale",
    "stale",
    "impossible",
    "fresh",
  ]);
});
