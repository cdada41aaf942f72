// What `flow gpu status` and `flow gpu top` show.

import type { Lease } from "../policy/model.ts";
import type { Broker } from "./broker.ts";
import type { Status } from "./messages.ts";

export function statusOf(broker: Broker, pid: number): Status {
  const { allocator, sampler, held, queued, now } = broker;
  const indexOf = new Map(sampler.gpus.map(({ id, index }) => [id, index]));
  const { leases } = allocator;
  return {
    pid,
    source: broker.source,
    cards: allocator.cards.map((card) => {
      const reading = sampler.reading(card.id);
      const there = leases.filter(({ cards }) => cards.includes(card.id));
      return {
        index: indexOf.get(card.id) ?? -1,
        id: card.id,
        model: card.model,
        capacityBytes: card.capacityBytes,
        usedBytes: reading?.usedBytes ?? null,
        heldBytes: there.reduce(
          (sum, one) => sum + Math.max(one.reservedBytes, one.observedBytes),
          0,
        ),
        foreignBytes: card.foreignBytes,
        foreignWho: card.foreignWho ?? null,
        load: reading?.load ?? null,
        closed: card.closed ?? null,
      };
    }),
    leases: leases.map((lease) => ({
      id: lease.id,
      label: lease.label,
      user: lease.user,
      cards: lease.cards.map((id) => indexOf.get(id) ?? -1),
      reservedBytes: lease.reservedBytes,
      observedBytes: lease.observedBytes,
      load: lease.load,
      state: held.get(lease.id)?.peers.size === 0 ? "orphan" : stateOf(lease),
      forMs: Math.max(0, Math.round(now - lease.startedAt)),
    })),
    queue: [...queued.values()]
      .map(({ ask, askedAt, position, why }) => ({
        label: ask.label,
        user: ask.user,
        position,
        forMs: Math.round(now - askedAt),
        why,
      }))
      .sort((a, b) => a.position - b.position),
  };
}

function stateOf({ observedBytes, cold }: Lease): "starting" | "warming" | "steady" {
  if (observedBytes === 0) return "starting";
  return cold ? "warming" : "steady";
}
