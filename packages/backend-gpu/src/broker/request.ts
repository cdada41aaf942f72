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
  const lack = lackOf(ask, cards, settings);
  return lack && refusal(lack.code, `\`${ask.label}\` ${lack.why}.`);
}

/** What a request asks for that these cards cannot give even when they are free: `asks for …; there are 2`. */
export function lackOf(
  {
    among,
    model,
    count,
    declaredBytes = 0,
  }: Pick<Ask, "among" | "model" | "count" | "declaredBytes">,
  cards: readonly Card[],
  settings: Settings,
): { readonly code: ErrorCode; readonly why: string } | undefined {
  const open = cards.filter(
    (card) =>
      (among?.includes(card.id) ?? true) &&
      hasModel(card, model) &&
      (card.closed === undefined || card.closed === "drained"),
  );
  const which = model === undefined ? "" : ` of model \`${model}\``;
  if (open.length < count) {
    const wanted = count === 1 ? "a GPU" : `${count} GPUs`;
    return { code: "NO_GPU", why: `asks for ${wanted}${which}; there are ${open.length}` };
  }
  const largest = Math.max(...open.map((card) => usableBytes(card, settings)));
  if (declaredBytes <= largest) return undefined;
  const why = `asks for ${gib(declaredBytes)} of GPU memory; the largest GPU${which} can give ${gib(largest)}`;
  return { code: "TOO_BIG", why };
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
