// What a card has left. Both what was promised and what is seen count: promises alone forget foreign
// processes, sight alone forgets jobs that have not allocated yet. Learned reservations have margins;
// several jobs seldom need theirs at once, so margins add up like independent errors: as the root of
// the sum of their squares. A job by itself keeps all of its own.

import type { Card, Lease, Settings } from "./model.ts";

type Entry = Pick<
  Lease,
  | "label"
  | "kind"
  | "reservedBytes"
  | "likelyBytes"
  | "observedBytes"
  | "load"
  | "cold"
  | "settling"
  | "alone"
>;

/** One card with everything on it added up; kept up to date while a decision is made. */
export interface Account {
  readonly card: Card;
  /** Bytes that can be promised to jobs at most. */
  readonly usableBytes: number;
  /** Held by everything but cold leases, without margins. */
  heldBytes: number;
  /** Sum of the squares of the margins. */
  marginSquares: number;
  load: number;
  count: number;
  cold: Entry[];
  alone: boolean;
  /** Label of a job that has run for so long that nothing unknown may come beside it. */
  guarded: string | undefined;
  /** The card is kept for a request, free at `until`. */
  kept: { readonly by: string; readonly until: number } | undefined;
}

/** Bytes of a card that can be promised to jobs. */
export function usableBytes(card: Card, settings: Settings): number {
  const slack = Math.max(settings.slackBytes, settings.slackShare * card.capacityBytes);
  return Math.max(0, card.capacityBytes - slack);
}

/** Bytes that a lease may take on each of its cards; `cards` are all there are. */
export function roomOf(
  { alone, cold, reservedBytes, cards: own }: Lease,
  cards: readonly Card[],
  settings: Settings,
): number {
  if (!cold && !alone) return reservedBytes;
  const sharers = settings.careful ? 1 : settings.cold;
  const rooms = cards
    .filter(({ id }) => own.includes(id))
    .map((card) => {
      const usable = usableBytes(card, settings);
      return alone ? Math.max(0, usable - card.foreignBytes) : usable / sharers;
    });
  return Math.floor(Math.min(...rooms));
}

/** What each of `cold` leases of unknown size holds of a card. */
export const coldShare = (account: Account, cold: number): number =>
  account.usableBytes / Math.max(cold, account.cold.length, 1);

/** Bytes left when at most `cold` unknown jobs share the card. */
export function freeBytes(account: Account, cold: number): number {
  const share = coldShare(account, cold);
  let held = account.heldBytes + Math.sqrt(account.marginSquares);
  for (const entry of account.cold)
    held += Math.max(share, entry.observedBytes, entry.reservedBytes);
  return account.usableBytes - held;
}

export function openAccount(card: Card, settings: Settings): Account {
  return {
    card,
    usableBytes: usableBytes(card, settings),
    heldBytes: card.foreignBytes,
    marginSquares: 0,
    load: 0,
    count: 0,
    cold: [],
    alone: false,
    guarded: undefined,
    kept: undefined,
  };
}

/** The accounts of all cards with the leases on them. */
export function openAccounts(
  cards: readonly Card[],
  leases: readonly Lease[],
  settings: Settings,
  now: number,
): Account[] {
  const accounts = new Map(cards.map((card) => [card.id, openAccount(card, settings)]));
  for (const lease of leases)
    for (const id of lease.cards) {
      const account = accounts.get(id);
      if (account === undefined) continue;
      charge(account, lease);
      if (now - lease.startedAt > settings.protectAfterMs) account.guarded = lease.label;
    }
  return [...accounts.values()];
}

/** Puts a job on a card's account. */
export function charge(account: Account, entry: Entry): void {
  if (entry.cold) account.cold.push(entry);
  else {
    const likely = Math.max(entry.likelyBytes ?? entry.reservedBytes, entry.observedBytes);
    account.heldBytes += likely;
    account.marginSquares += Math.max(0, entry.reservedBytes - likely) ** 2;
  }
  account.load += entry.load;
  account.count++;
  if (entry.alone) account.alone = true;
}

/** Bytes left after one more job of so many bytes, of which it will take `likelyBytes`. */
export function leftBytes(
  account: Account,
  cold: number,
  bytes: number,
  likelyBytes: number,
): number {
  const { marginSquares } = account;
  const more = Math.sqrt(marginSquares + (bytes - likelyBytes) ** 2) - Math.sqrt(marginSquares);
  return freeBytes(account, cold) - likelyBytes - more;
}
