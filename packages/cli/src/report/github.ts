// What a GitHub Actions job gets beside the plain output: an annotation per failed task, a summary
// table, and no chance for a task's output to give the runner commands.

import { formatDuration } from "@flow/core";
import { plainPaint } from "./color.ts";
import { type Failure, groupFailures } from "./failure-block.ts";
import type { ReadTail } from "./log-tail.ts";
import { describeOutcome, type RunView } from "./run-view.ts";
import { verdict } from "./summary.ts";

const MOST_ANNOTATIONS = 10;

/** GitHub refuses larger summaries. */
const MOST_SUMMARY_BYTES = 900_000;

export interface GitHubPorts {
  readonly write: (text: string) => void;
  /** Appends to the job's summary file. */
  readonly appendSummary: (markdown: string) => void;
  readonly readTail: ReadTail;
  /** A word nobody can guess. */
  readonly token: string;
}

export class GitHub {
  readonly #ports: GitHubPorts;

  constructor(ports: GitHubPorts) {
    this.#ports = ports;
  }

  /** Lines that contain output of tasks, as a folded group in which the runner takes no commands. */
  wrap(lines: readonly string[]): readonly string[] {
    const [first = "", ...rest] = lines;
    if (rest.length === 0) return lines;
    const { token } = this.#ports;
    return [
      first,
      "::group::failures",
      `::stop-commands::${token}`,
      ...rest,
      `::${token}::`,
      "::endgroup::",
    ];
  }

  /** Annotations and the summary of a run that has ended. */
  finish(view: RunView): void {
    const groups = groupFailures(view.failures, this.#ports.readTail);
    for (const { first, all } of groups.slice(0, MOST_ANNOTATIONS)) {
      this.#ports.write(annotation(first, all.length));
    }
    this.#ports.appendSummary(markdown(view).slice(0, MOST_SUMMARY_BYTES));
  }
}

/** `::error file=…,line=…,title=…::message` */
function annotation(failure: Failure, count: number): string {
  const [, file, line] = /^(.*?):(\d+)/.exec(failure.position ?? "") ?? [];
  const properties = [
    ...(file === undefined ? [] : [`file=${property(file)}`, `line=${line ?? "1"}`]),
    `title=${property(count === 1 ? failure.task : `${count} × ${failure.template}`)}`,
  ];
  const message = "message" in failure.outcome ? `: ${failure.outcome.message}` : "";
  const level = failure.allowed ? "warning" : "error";
  const text = `${failure.task} ${describeOutcome(failure.outcome)}${message}`;
  return `::${level} ${properties.join(",")}::${data(text)}\n`;
}

function markdown(view: RunView): string {
  const rows = view.templates.map(({ name, size, counts }) => {
    const cells = [
      name,
      size,
      counts.get("fresh") ?? 0,
      counts.get("done") ?? 0,
      counts.get("failed") ?? 0,
      counts.get("blocked") ?? 0,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const failures = view.failures.map(
    (failure) =>
      `| ${failure.task} | ${describeOutcome(failure.outcome)} | ${failure.durationMs === undefined ? "" : formatDuration(failure.durationMs)} |`,
  );
  return [
    `### ${verdict(view, plainPaint)}`,
    "",
    "| task | size | fresh | done | failed | blocked |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
    ...(failures.length === 0
      ? []
      : ["", "| failed | how | after |", "| --- | --- | --- |", ...failures]),
    "",
    "",
  ].join("\n");
}

const data = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

const property = (text: string): string => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
