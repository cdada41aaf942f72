// What happens when a task fails, is interrupted, hangs or must stop.

import { didYouMean } from "../../diagnostics/suggest.ts";
import type { RequeuePolicy, RetryPolicy, StopPolicy } from "../../model/task.ts";
import { parseDuration } from "../../model/units.ts";
import type { Node } from "../document/node.ts";
import { asList, child, entriesOf, spanOf, textOf } from "../document/node.ts";
import type { FieldReader } from "./fields.ts";

const SECOND = 1_000;

const NO_RETRIES: RetryPolicy = {
  max: 0,
  causes: [],
  backoffMs: SECOND,
  backoffMaxMs: 60 * SECOND,
  escalate: {},
};

const REQUEUE: RequeuePolicy = { mode: "auto", codes: [], max: undefined, delayMs: 0 };

const STOP: StopPolicy = { signal: "SIGTERM", graceMs: 30 * SECOND };

const CAUSES = ["oom", "gpu_oom", "preempted", "lost", "timeout"];
const ESCALATED = ["mem", "gpu_mem", "time", "cpus", "disk"];

/** Running out of a shared GPU's memory is nobody's mistake: the next try gets more. */
const GPU_RETRIES: RetryPolicy = { ...NO_RETRIES, max: 3, causes: ["gpu_oom"] };

/** `retries:`, a number or a map. */
export function readRetries(reader: FieldReader): RetryPolicy {
  const node = reader.node("retries");
  if (node === undefined)
    return child(reader.node("resources"), "gpus") === undefined ? NO_RETRIES : GPU_RETRIES;
  if (node.kind === "scalar") return { ...NO_RETRIES, max: reader.count(node) ?? 0 };
  const causes = asList(child(node, "for")).flatMap((cause) => readCause(cause, reader));
  return {
    max: reader.count(child(node, "max")) ?? 1,
    causes,
    ...readBackoff(child(node, "backoff"), reader),
    escalate: readEscalation(child(node, "escalate"), reader),
  };
}

function readCause(node: Node, reader: FieldReader): readonly string[] {
  const text = textOf(node);
  if (CAUSES.includes(text) || /^exit:\d+$/.test(text)) return [text];
  reader.filling.report.error("bad-value", spanOf(node), `\`${text}\` is not a cause of failure`, {
    fix: didYouMean(text, CAUSES) ?? `Known causes: ${CAUSES.join(", ")}, exit:N.`,
  });
  return [];
}

/** `10s` waits that long each time; `5s..2m` doubles from the first to the second. */
function readBackoff(
  node: Node | undefined,
  reader: FieldReader,
): Pick<RetryPolicy, "backoffMs" | "backoffMaxMs"> {
  const text = reader.text(node);
  const { backoffMs, backoffMaxMs } = NO_RETRIES;
  if (node === undefined || text === undefined) return { backoffMs, backoffMaxMs };
  const [first = "", last = first] = text.split("..");
  const from = parseDuration(first);
  const to = parseDuration(last);
  if (from === undefined || to === undefined || to < from) {
    reader.filling.report.error("bad-duration", spanOf(node), `\`${text}\` is not a backoff`, {
      fix: "Write one duration, `10s`, or a range that is doubled through, `5s..2m`.",
    });
    return { backoffMs, backoffMaxMs };
  }
  return { backoffMs: from, backoffMaxMs: to };
}

function readEscalation(node: Node | undefined, reader: FieldReader): RetryPolicy["escalate"] {
  const escalate: Record<string, Readonly<Record<string, number>>> = {};
  for (const [cause, entry] of entriesOf(node)) {
    if (readCause(entry.key, reader).length === 0) continue;
    const factors: Record<string, number> = {};
    for (const [resource, { key, value }] of entriesOf(entry.value)) {
      if (!ESCALATED.includes(resource)) {
        reader.filling.report.error(
          "bad-value",
          spanOf(key),
          `\`${resource}\` cannot be escalated`,
          {
            fix: didYouMean(resource, ESCALATED) ?? `It is one of ${ESCALATED.join(", ")}.`,
          },
        );
        continue;
      }
      const match = /^x?(\d+(?:\.\d+)?)$/.exec(reader.text(value) ?? "");
      const factor = Number(match?.[1]);
      if (factor >= 1) factors[resource] = factor;
      else {
        reader.filling.report.error(
          "bad-value",
          spanOf(value),
          `\`${textOf(value)}\` is not a factor`,
          {
            fix: "Write `x2` to double it each time.",
          },
        );
      }
    }
    escalate[cause] = factors;
  }
  return escalate;
}

/** `requeue`, `requeue_codes`, `max_requeues`, `requeue_delay`. */
export function readRequeue(reader: FieldReader): RequeuePolicy {
  const keys = ["requeue", "requeue_codes", "max_requeues", "requeue_delay"];
  if (keys.every((key) => reader.node(key) === undefined)) return REQUEUE;
  const mode = reader.text(reader.node("requeue"));
  return {
    mode: mode === "always" || mode === "never" ? mode : "auto",
    codes: asList(reader.node("requeue_codes")).map((code) => Number(textOf(code))),
    max: reader.count(reader.node("max_requeues")),
    delayMs: reader.duration(reader.node("requeue_delay")) ?? 0,
  };
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT", "none"];

/** `stop: {signal, grace}`. */
export function readStop(reader: FieldReader): StopPolicy {
  const stop = reader.merged("stop");
  if (stop.size === 0) return STOP;
  const node = stop.get("signal");
  const text = reader.text(node);
  let signal = STOP.signal;
  if (node !== undefined && text !== undefined) {
    const full = text === "none" || text.startsWith("SIG") ? text : `SIG${text}`;
    if (SIGNALS.includes(full)) signal = full;
    else {
      reader.filling.report.error(
        "bad-value",
        spanOf(node),
        `\`${text}\` is not a signal that asks for a stop`,
        {
          fix: didYouMean(full, SIGNALS) ?? `It is one of ${SIGNALS.join(", ")}.`,
        },
      );
    }
  }
  return { signal, graceMs: reader.duration(stop.get("grace")) ?? STOP.graceMs };
}
