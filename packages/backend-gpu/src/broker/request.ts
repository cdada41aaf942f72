// What a client tells as the policy takes it, and the answers: why a request could never be granted,
// and how an end was judged.

import type { Ask } from "../policy/allocator.ts";
import { usableBytes } from "../policy/account.ts";
import { hasModel } from "../policy/fit.ts";
import { type Card, gib, type Settings } from "../policy/model.ts";
import type { EndReport, Verdict } from "../policy/verdict.ts";
import type {
  AcquireMessage,
  BrokerMessage,
  ErrorCode,
  OutOfMemoryMessage,
  VerdictMessage,
} from "./messages.ts";

export function askOf(
  message: AcquireMessage,
  { id, user, since, among }: Pick<Ask, "id" | "user" | "since" | "among">,
): Ask {
  const gpus = message.gpus ?? 1;
  const count = Math.max(1, Math.ceil(gpus));
  return {
    id,
    user,
    since,
    among,
    label: message.label,
    priority: message.priority ?? 0,
    weightMs: message.weightMs,
    count,
    fraction: gpus > 0 && gpus < 1 ? gpus : undefined,
    // Several cards are shared only by those who say what they need.
    alone: message.alone ?? (count > 1 && message.bytes === undefined),
    model: message.model,
    linked: message.linked ?? false,
    identity: { keys: message.keys, params: message.params ?? {} },
    declaredBytes: message.bytes,
    declaredLoad: message.load,
    floorBytes: message.floorBytes ?? 0,
  };
}

/** The refusal of a request that no waiting would help. */
export function impossible(
  ask: Ask,
  cards: readonly Card[],
  settings: Settings,
): BrokerMessage | undefined {
  const open = cards.filter(
    (card) =>
      (ask.among?.includes(card.id) ?? true) &&
      hasModel(card, ask.model) &&
      (card.closed === undefined || card.closed === "drained"),
  );
  const which = ask.model === undefined ? "" : ` of model \`${ask.model}\``;
  if (open.length < ask.count) {
    const wanted = ask.count === 1 ? "a GPU" : `${ask.count} GPUs`;
    const message = `\`${ask.label}\` asks for ${wanted}${which}; there are ${open.length}.`;
    return refusal("NO_GPU", message);
  }
  const largest = Math.max(...open.map((card) => usableBytes(card, settings)));
  const needs = ask.declaredBytes ?? 0;
  if (needs <= largest) return undefined;
  const message = `\`${ask.label}\` asks for ${gib(needs)} of GPU memory; the largest GPU${which} can give ${gib(largest)}.`;
  return refusal("TOO_BIG", message);
}

export const refusal = (code: ErrorCode, message: string): BrokerMessage => ({
  m: "error",
  code,
  message,
});

export const outOfMemoryOf = (told: OutOfMemoryMessage): NonNullable<EndReport["outOfMemory"]> => ({
  strength: told.strength,
  askedBytes: told.askedBytes,
  usedBytes: told.usedBytes,
  line: told.line,
});

export function verdictMessage(verdict: Verdict, peakBytes: number): VerdictMessage {
  return {
    type: verdict.type,
    ...(verdict.type === "oom-self" ? { bytes: verdict.bytes } : {}),
    ...(peakBytes > 0 ? { peakBytes } : {}),
  };
}
