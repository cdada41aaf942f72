// Whether one card takes one request, and if not, why.

import { type Account, coldShare, freeBytes, leftBytes } from "./account.ts";
import type { Card, Obstacle, Settings, Waiting } from "./model.ts";

/** What a judgement of one card depends on beside the card and the request. */
export interface Rules {
  readonly settings: Settings;
  /** Unknown jobs that may share a card now. */
  readonly cold: number;
  /** Unknown jobs start one after another on a card, each when it is seen what the one before takes. */
  readonly stagger: boolean;
  readonly now: number;
}

/** Nobody knows how much memory it will take. */
export const isUnknown = ({ need, fraction, alone }: Waiting): boolean =>
  need.bytes === undefined && fraction === undefined && !alone;

/** What keeps a request from a card; undefined when it fits. */
export function obstacle(
  request: Waiting,
  account: Account,
  { settings, cold, stagger, now }: Rules,
): Obstacle | undefined {
  const { card } = account;
  if (card.closed !== undefined) return { type: "closed", why: card.closed };
  if (!suits(request, account)) return { type: "unsuitable" };
  const isEmpty = account.count === 0;
  if (!isEmpty && card.single) return { type: "single" };
  if (!isEmpty && (request.alone || account.alone)) return { type: "taken" };
  const { kept } = account;
  if (kept !== undefined && !endsBefore(request, kept.until, now))
    return { type: "kept", by: kept.by };
  const unknown = isUnknown(request);
  if (unknown && !isEmpty) {
    if (settings.careful) return { type: "taken" };
    if (account.guarded !== undefined) return { type: "protected", label: account.guarded };
    const settling = (stagger || !card.attributed) && account.cold.some((entry) => entry.settling);
    if (settling || account.cold.length >= cold)
      return { type: "cold", labels: account.cold.map(({ label }) => label) };
  }
  const load = loadOf(request, settings);
  if (
    !isEmpty &&
    (account.load + load > settings.loadCap + 1e-9 || account.load >= settings.fullLoad)
  )
    return { type: "load", load: account.load, needs: load };
  const needsBytes = bytesOf(request, account, cold);
  const free = freeBytes(account, cold);
  const left = leftBytes(account, cold, needsBytes, likelyOf(request, needsBytes));
  if (left >= -1) return undefined;
  const { foreignBytes, foreignWho } = card;
  return { type: "memory", needsBytes, freeBytes: Math.max(0, free), foreignBytes, foreignWho };
}

const suits = ({ among, model }: Waiting, { card }: Account): boolean =>
  (among === undefined || among.includes(card.id)) && hasModel(card, model);

/** Whether a card is of a model, or of one of several with `|` between them; part of its name is enough. */
export function hasModel(card: Card, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  const name = card.model.toLowerCase();
  return wanted
    .toLowerCase()
    .split("|")
    .some((part) => name.includes(part.trim()));
}

const endsBefore = ({ need }: Waiting, until: number, now: number): boolean =>
  need.durationMs !== undefined && now + need.durationMs <= until;

/** Load a request is taken to put on a card. */
export const loadOf = ({ need, fraction }: Waiting, settings: Settings): number =>
  need.load ?? Math.min(fraction ?? Infinity, settings.unknownLoad);

/** What a request that would hold so many bytes will most likely take of them. */
export const likelyOf = ({ need, fraction, alone }: Waiting, bytes: number): number =>
  alone || fraction !== undefined ? bytes : Math.min(bytes, need.likelyBytes ?? bytes);

/** Bytes a request would hold on a card. */
export function bytesOf(request: Waiting, account: Account, cold: number): number {
  const { need, fraction } = request;
  const known = Math.max(need.bytes ?? 0, (fraction ?? 0) * account.usableBytes);
  if (request.alone) return Math.min(known, account.usableBytes);
  return isUnknown(request) ? coldShare(account, cold) : known;
}
