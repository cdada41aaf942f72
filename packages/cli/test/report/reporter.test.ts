import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunEvent } from "@flow/core";
import { afterAll, describe, expect, it } from "vitest";
import { openReporter, type ReporterOptions } from "../../src/report/reporter.ts";
import { fakeIo } from "../fake-io.ts";
import { ended, failed, script, started } from "./run-events.ts";

const options: ReporterOptions = {
  mode: "plain",
  verbose: false,
  color: undefined,
  secrets: ["TOKEN"],
  rerun: (task: string | undefined) => ["flow", "run", task ?? "--failed"],
};

const folder = mkdtempSync(join(tmpdir(), "flow-reporter-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a reporter", () => {
  it("says once that it broke and leaves the run alone", () => {
    const io = fakeIo();
    const reporter = openReporter({ ...options, mode: "quiet" }, io);
    const event = script();
    const broken = { ...event(0, started({ a: 1 })), templates: undefined } as unknown as RunEvent;
    expect(() => reporter.event(broken)).not.toThrow();
    expect(() => reporter.event(event(2, ended(0, { total: 1 })))).not.toThrow();
    reporter.close();
    expect(io.stderr.text).toMatch(
      /^\nflow: the run goes on, but it can no longer be shown: .* is not iterable.*\n$/,
    );
  });

  it("writes nothing after it was closed", () => {
    const io = fakeIo();
    const reporter = openReporter(options, io);
    reporter.close();
    reporter.event(script()(0, started({ a: 1 })));
    expect(io.stderr.text).toBe("");
  });

  it("stays silent when quiet and all went well", () => {
    const io = fakeIo();
    const reporter = openReporter({ ...options, mode: "quiet" }, io);
    const event = script();
    reporter.event(event(0, started({ a: 1 })));
    reporter.event(event(1, ended(0, { total: 1, done: 1 })));
    reporter.close();
    expect(io.stderr.text + io.stdout.text).toBe("");
  });

  it("reads the end of logs, hides secrets in them, and gives a hint", () => {
    const log = join(folder, "stderr");
    const noise = "x".repeat(40_000);
    writeFileSync(
      log,
      `${noise}\nlogin with s3cr3t-value\nModuleNotFoundError: No module named 'torch'\n\n`,
    );
    const io = fakeIo({ env: { TOKEN: "s3cr3t-value" }, cwd: folder });
    const reporter = openReporter({ ...options, mode: "quiet" }, io);
    const event = script();
    reporter.event(event(0, started({ train: 1 })));
    reporter.event(event(1, failed("train", { stderr: log, command: undefined })));
    reporter.event(event(2, ended(1, { total: 1, failed: 1 })));
    reporter.close();
    expect(io.stderr.text).toBe(`✖ 1 failed · 2ms · run 20261121-100000-k3f9

✖ train                                     2.3s · exit 1
    at       mnist.flow.yaml:31
    stderr   last 2 lines of 40.1 kB
      │ login with ***
      │ ModuleNotFoundError: No module named 'torch'
    hint     the Python that ran has no module torch: activate its environment in the action, or install it
    rerun    flow run train
    log      stderr

next   flow run --failed   runs the 1 task that did not finish
`);
  });

  it("annotates failures for GitHub also when quiet, and takes no commands from what tasks wrote", () => {
    const log = join(folder, "hostile");
    writeFileSync(log, "::error::fake\n");
    const summary = join(folder, "summary.md");
    const env = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: summary };
    const io = fakeIo({ env, cwd: folder });
    const reporter = openReporter({ ...options, mode: "quiet" }, io);
    const event = script();
    reporter.event(event(0, started({ train: 1 })));
    reporter.event(event(1, failed("train", { stderr: log })));
    reporter.event(event(2, ended(1, { total: 1, failed: 1 })));
    reporter.close();
    expect(io.stderr.text).toMatch(/^✖ 1 failed .*\n::group::failures\n::stop-commands::/);
    expect(io.stderr.text).toContain(
      "\n::error file=mnist.flow.yaml,line=31,title=train::train exit 1",
    );
    expect(readFileSync(summary, "utf8")).toMatch(/^### ✖ 1 failed/);
  });

  it("writes JSON lines to stdout, ASCII only and without secrets", () => {
    const io = fakeIo({ env: { TOKEN: "s3cr3t-value" } });
    const reporter = openReporter({ ...options, mode: "json" }, io);
    const event = script();
    reporter.event(event(0, started({ train: 1 })));
    reporter.event(
      event(1500, { type: "warning", task: "train", message: "é \u009b2J s3cr3t-value \u001b[2J" }),
    );
    reporter.close();
    expect(io.stderr.text).toBe("");
    const [, second = ""] = io.stdout.text.split("\n");
    expect(second).toMatch(/^[ -~]+$/);
    expect(JSON.parse(second)).toEqual({
      v: 1,
      seq: 2,
      t: new Date(2026, 10, 21, 10, 0, 1, 500).toISOString(),
      elapsedMs: 1500,
      run: "20261121-100000-k3f9",
      type: "warning",
      task: "train",
      message: "é \u009b2J *** \u001b[2J",
    });
  });
});
