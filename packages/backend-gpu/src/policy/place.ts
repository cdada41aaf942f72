// The decision: who of those who wait gets which cards now. A pure function of the situation; the
// same situation gives the same decision.

import { type Account, charge, freeBytes, openAccounts } from "./account.ts";
import { bytesOf, isUnknown, likelyOf, loadOf, obstacle, type Rules } from "./fit.ts";
import type { CardObstacle, Decision, Grant, Settings, Situation, Wait, Waiting } from "./model.ts";
import { inOrder } from "./order.ts";
import { keepCards } from "./shadow.ts";

/** Grants what fits, in order. What does not fit may be overtaken, but not for ever. */
export function place(situation: Situation): Decision {
  const { settings, now, leases } = situation;
  const accounts = openAccounts(situation.cards, leases, settings, now);
  const queue = inOrder(situation);
  const siblings = new Map(leases.filter(({ cold }) => cold).map((one) => [one.kind, one.label]));
  const grants: Grant[] = [];
  const waits: Wait[] = [];
  let unknown = 0;
  for (const request of queue) if (isUnknown(request)) unknown++;
  const slots = accounts.length * (settings.cold + 1);
  const stagger = unknown + leases.filter(({ cold }) => cold).length > slots;
  let hasKept = false;
  const failed = new Failures();
  for (const request of queue) {
    const isCold = isUnknown(request);
    if (isCold) unknown--;
    const position = waits.length + 1;
    const sibling = settings.careful && isCold ? siblings.get(request.kind) : undefined;
    if (sibling !== undefined) {
      waits.push({ id: request.id, position, obstacles: [], sibling });
      continue;
    }
    const cold = coldSlots(settings, isCold ? unknown : Infinity, accounts.length);
    const shape = shapeOf(request);
    const known = failed.get(shape, cold);
    const found: Choice =
      known === undefined
        ? choose(request, accounts, { settings, cold, stagger, now })
        : { accounts: undefined, obstacles: known };
    if (found.accounts === undefined) {
      if (known === undefined) failed.set(shape, cold, found.obstacles);
      waits.push({ id: request.id, position, obstacles: found.obstacles, sibling: undefined });
      if (!hasKept && hasWaitedLong(request, settings, now)) {
        keepCards(request, accounts, leases, { settings, cold, stagger, now });
        hasKept = true;
        failed.clear();
      }
      continue;
    }
    failed.clear();
    const granted = grantOf(request, found.accounts, settings, cold);
    grants.push(granted);
    if (granted.cold) siblings.set(request.kind, request.label);
    const entry = { ...request, ...granted, observedBytes: 0, settling: granted.cold };
    for (const account of found.accounts) charge(account, entry);
  }
  return { grants, waits };
}

/** A request is the same object from pass to pass, as long as nothing new is known of it. */
const shapes = new WeakMap<Waiting, string>();

/** Requests of one shape fit on the same cards. */
function shapeOf(request: Waiting): string {
  let shape = shapes.get(request);
  if (shape === undefined) {
    const { need, count, fraction, alone, model, linked, among } = request;
    const { bytes, likelyBytes, load, durationMs } = need;
    shape = [
      bytes,
      likelyBytes,
      load,
      durationMs,
      count,
      fraction,
      alone,
      model,
      linked,
      among,
    ].join();
    shapes.set(request, shape);
  }
  return shape;
}

/** What is in the way of requests that ask for the same, as long as the cards stay as they are. */
class Failures {
  /** By the slots that unknown jobs have. */
  #found: Map<string, readonly CardObstacle[]>[] = [];

  get(shape: string, cold: number): readonly CardObstacle[] | undefined {
    return this.#found[cold]?.get(shape);
  }

  set(shape: string, cold: number, obstacles: readonly CardObstacle[]): void {
    const found = this.#found[cold] ?? new Map<string, readonly CardObstacle[]>();
    this.#found[cold] = found.set(shape, obstacles);
  }

  clear(): void {
    this.#found = [];
  }
}

/**
 * Unknown jobs a card is taken to hold. One more than usual when few are left: that costs less than
 * waiting. A job that runs alone to be measured holds all of it.
 */
function coldSlots(settings: Settings, unknownBehind: number, cards: number): number {
  if (settings.careful) return 1;
  return unknownBehind < cards ? settings.cold + 1 : settings.cold;
}

function hasWaitedLong(request: Waiting, settings: Settings, now: number): boolean {
  const quarter = (request.need.durationMs ?? 0) / 4;
  return now - request.since >= Math.max(settings.patienceMs, quarter);
}

type Choice =
  | { readonly accounts: readonly Account[] }
  | { readonly accounts: undefined; readonly obstacles: readonly CardObstacle[] };

/** The best cards for a request, or what is in its way on each. */
function choose(request: Waiting, accounts: readonly Account[], rules: Rules): Choice {
  const open: Account[] = [];
  const obstacles: CardObstacle[] = [];
  for (const account of accounts) {
    const found = obstacle(request, account, rules);
    if (found === undefined) open.push(account);
    else obstacles.push({ card: account.card.name, obstacle: found });
  }
  open.sort((a, b) => a.load - b.load || freeBytes(a, rules.cold) - freeBytes(b, rules.cold));
  if (request.count === 1)
    return open.length > 0 ? { accounts: open.slice(0, 1) } : { accounts: undefined, obstacles };
  const groups = new Map<string, Account[]>();
  for (const account of open) {
    const group = groups.get(account.card.group);
    if (group === undefined) groups.set(account.card.group, [account]);
    else group.push(account);
  }
  const linked = [...groups.values()].find((group) => group.length >= request.count);
  const chosen = linked ?? (request.linked ? [] : open);
  return chosen.length >= request.count
    ? { accounts: chosen.slice(0, request.count) }
    : { accounts: undefined, obstacles };
}

function grantOf(
  request: Waiting,
  accounts: readonly Account[],
  settings: Settings,
  cold: number,
): Grant {
  const unknown = isUnknown(request);
  const bytes = unknown ? [0] : accounts.map((one) => bytesOf(request, one, cold));
  // Cards of different sizes: alone, a job holds what there is on each.
  const reservedBytes = Math.round(request.alone ? Math.min(...bytes) : Math.max(...bytes));
  return {
    id: request.id,
    cards: accounts.map(({ card }) => card.id),
    reservedBytes,
    likelyBytes: Math.round(likelyOf(request, reservedBytes)),
    load: loadOf(request, settings),
    cold: unknown,
  };
}
