// Keeping cards for a request that has waited long: those that expected ends say will be free for it
// first. Others may use them meanwhile only if they end before that.

import { type Account, charge, openAccount } from "./account.ts";
import type { Lease, Waiting } from "./model.ts";
import { obstacle, type Rules } from "./fit.ts";

/** Marks the cards that will be free first for a request as kept for it. */
export function keepCards(
  request: Waiting,
  accounts: readonly Account[],
  leases: readonly Lease[],
  rules: Rules,
): void {
  const free = accounts
    .map((account) => ({ account, at: freeAt(request, account, leases, rules) }))
    .filter(({ at }) => at !== undefined)
    .sort((a, b) => (a.at ?? 0) - (b.at ?? 0))
    .slice(0, request.count);
  if (free.length < request.count) return;
  const until = free.at(-1)?.at ?? rules.now;
  for (const { account } of free) account.kept = { by: request.label, until };
}

/** A job whose run time nobody knows is taken to last this much longer. */
const UNKNOWN_MS = 24 * 3_600_000;

/** When enough of a card's leases will have ended; undefined: not even when all have. */
function freeAt(
  request: Waiting,
  account: Account,
  leases: readonly Lease[],
  rules: Rules,
): number | undefined {
  const { now } = rules;
  const there = leases
    .filter(({ cards }) => cards.includes(account.card.id))
    .map((lease) => ({ lease, end: endOf(lease, now) }))
    .sort((a, b) => a.end - b.end);
  for (let gone = 0; gone <= there.length; gone++) {
    const rest = openAccount(account.card, rules.settings);
    for (const { lease } of there.slice(gone)) charge(rest, lease);
    if (obstacle(request, rest, rules) === undefined) return there[gone - 1]?.end ?? now;
  }
  return undefined;
}

const endOf = ({ startedAt, durationMs }: Lease, now: number): number =>
  Math.max(now, durationMs === undefined ? now + UNKNOWN_MS : startedAt + durationMs);
