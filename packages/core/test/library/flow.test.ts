import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunEvent } from "../../src/engine/run-event.ts";
import { type Flow, FlowError, flow } from "../../src/library/flow.ts";

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-library-"));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

describe("a graph built in a program", () => {
  const numbers = (): Flow =>
    flow({ root, name: "sums" })
      .task("numbers", {
        targets: ["numbers.json"],
        run: ({ targets }) => fs.writeFileSync(targets[0] ?? "", "[1,2,3]"),
      })
      .task("sum", {
        deps: ["numbers.json"],
        targets: ["sum.txt"],
        run: ({ deps, targets, log, metrics }) => {
          const list = JSON.parse(fs.readFileSync(deps[0] ?? "", "utf8")) as number[];
          const sum = list.reduce((a, b) => a + b);
          log(`the sum is ${sum}`);
          metrics({ sum });
          fs.writeFileSync(targets[0] ?? "", String(sum));
        },
      });

  it("runs functions in order and then finds them fresh", async () => {
    const first = await numbers().run();
    expect(first.counts).toMatchObject({ done: 2, failed: 0 });
    expect(fs.readFileSync(join(root, "sum.txt"), "utf8")).toBe("6");
    const second = await numbers().run();
    expect(second.counts).toMatchObject({ done: 0, fresh: 2 });
  });

  it("tells a listener what happens, in order", async () => {
    const events: RunEvent[] = [];
    await numbers().run({ onEvent: (event) => events.push(event) });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const told = events.map((event) =>
      "task" in event ? `${event.type} ${event.task}` : event.type,
    );
    expect(told).toEqual([
      "run/started",
      "task/stale numbers",
      "task/started numbers",
      "task/done numbers",
      "task/stale sum",
      "task/started sum",
      "task/metrics sum",
      "task/done sum",
      "run/ended",
    ]);
  });

  it("makes a thrown error the failure of its task and keeps it in the log", async () => {
    const events: RunEvent[] = [];
    const result = await flow({ root })
      .task("bad", {
        run: () => {
          throw new Error("no luck");
        },
      })
      .run({ onEvent: (event) => events.push(event) });
    expect(result.exitCode).toBe(1);
    const failed = events.find((event) => event.type === "task/failed");
    expect(failed?.outcome).toMatchObject({ type: "failed", code: 1, message: "Error: no luck" });
    expect(fs.readFileSync(failed?.stderr ?? "", "utf8")).toContain("Error: no luck");
  });

  it("asks functions to stop when its signal is aborted", async () => {
    const abort = new AbortController();
    const result = await flow({ root })
      .task("wait", {
        run: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error(String(signal.reason))));
            abort.abort();
          }),
      })
      .run({ signal: abort.signal });
    expect(result.exitCode).toBe(130);
    expect(result.counts.cancelled).toBe(1);
  });

  it("aborts a function that runs longer than its time limit", async () => {
    const events: RunEvent[] = [];
    const result = await flow({ root })
      .task("slow", {
        timeoutMs: 20,
        run: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error(String(signal.reason))));
          }),
      })
      .run({ onEvent: (event) => events.push(event) });
    expect(result.exitCode).toBe(1);
    const failed = events.find((event) => event.type === "task/failed");
    expect(failed?.outcome).toMatchObject({ type: "failed", message: "Error: deadline" });
  });

  it("names the backend that a command needs", async () => {
    const graph = flow({ root }).task("list", { run: "ls" });
    await expect(graph.run()).rejects.toThrow(
      new FlowError(
        "a task runs on the backend `local`, which was not given; pass `backends: { local }` to run()",
      ),
    );
  });

  it("refuses what no compiler has checked", () => {
    const refused: readonly (readonly [object, string])[] = [
      [{ dep: ["a"] }, "there is no `dep`. Did you mean `deps`?"],
      [{ targets: "a" }, "`targets` must be a list of texts"],
      [{ retries: -1 }, "`retries` must be a whole number from 0"],
      [{ run: 5 }, "`run` must be a function, a command or a list of arguments"],
    ];
    for (const [definition, problem] of refused) {
      expect(() => flow({ root }).task("t", definition)).toThrow(
        new FlowError(`the task \`t\`: ${problem}`),
      );
    }
  });

  it("makes no root", async () => {
    const missing = join(root, "missing");
    const graph = flow({ root: missing }).task("a", { run: () => {} });
    await expect(graph.run()).rejects.toThrow(new FlowError(`the root ${missing} is no folder`));
    expect(fs.existsSync(missing)).toBe(false);
  });

  it("knows one path by all its spellings", async () => {
    const order: string[] = [];
    const write = (name: string) => () => {
      order.push(name);
      fs.writeFileSync(join(root, name), name);
    };
    const result = await flow({ root })
      .task("second", { deps: ["sub/..//./a"], targets: ["b"], run: write("b") })
      .task("first", { targets: ["./a"], run: write("a") })
      .run();
    expect(result.exitCode).toBe(0);
    expect(order).toEqual(["a", "b"]);
  });

  it("tells of a cycle without places, for there is no file", async () => {
    const graph = flow({ root })
      .task("a", { deps: ["y"], targets: ["x"], run: () => {} })
      .task("b", { deps: ["x"], targets: ["y"], run: () => {} });
    await expect(graph.run()).rejects.toThrow(
      new FlowError(
        [
          "error: Tasks wait for each other: `a` → `b` → `a`. [cycle]",
          "  `b` needs `a` for `x`",
          "  `a` needs `b` for `y`",
          "  fix: Remove one of these dependencies.",
        ].join("\n"),
      ),
    );
  });
});
