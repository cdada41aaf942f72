// What the policy reasons about: cards, the leases on them, and who waits. Plain data; memory in
// bytes, times in milliseconds of one monotonic clock, load as a share of one card (1 = always busy).

export const MIB: number = 2 ** 20;
export const GIB: number = 2 ** 30;

/** `11.2 GiB`: memory as people who watch GPUs write it. */
export const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

/** The numbers of the policy. */
export interface Settings {
  /** Jobs of unknown size at once on a card; each holds an equal share of it. */
  readonly cold: number;
  /** Most that the loads on a card may add up to. */
  readonly loadCap: number;
  /** A card with this load takes nobody else: sharing it further would help no one. */
  readonly fullLoad: number;
  /** Load assumed of a job until it is known. */
  readonly unknownLoad: number;
  /** Memory of each card that is never given out: this much, or this share, whichever is more. */
  readonly slackBytes: number;
  readonly slackShare: number;
  /** A job that has run for longer gets no neighbour of unknown size. */
  readonly protectAfterMs: number;
  /** Each time a request has waited this long it rises by one priority. */
  readonly ageStepMs: number;
  /** A request that has waited for longer may have cards kept free for it. */
  readonly patienceMs: number;
  /** Jobs of unknown size run alone, and the others of their kind wait until the first has ended. */
  readonly careful: boolean;
}

export const DEFAULT_SETTINGS: Settings = {
  cold: 2,
  loadCap: 1.5,
  fullLoad: 0.9,
  unknownLoad: 0.5,
  slackBytes: 256 * MIB,
  slackShare: 0.02,
  protectAfterMs: 30 * 60_000,
  ageStepMs: 15 * 60_000,
  patienceMs: 2 * 60_000,
  careful: false,
};

/** A GPU as the policy sees it. */
export interface Card {
  /** UUID. */
  readonly id: string;
  /** For messages: `GPU 0`. */
  readonly name: string;
  readonly model: string;
  /** Memory without what the driver keeps for itself. */
  readonly capacityBytes: number;
  /** Memory of processes without a lease: the most seen of late. */
  readonly foreignBytes: number;
  /** Who they are, for messages; absent when nobody. */
  readonly foreignWho: string | undefined;
  /** Why nothing is put here; absent when it takes jobs. */
  readonly closed: string | undefined;
  /** Takes one process at a time (compute mode EXCLUSIVE_PROCESS). */
  readonly single: boolean;
  /** Whether the memory of each process can be seen. Without, unknown jobs start one after another. */
  readonly attributed: boolean;
  /** Cards of one group are linked closely. */
  readonly group: string;
}

/** What a job is expected to need on each of its cards. */
export interface Need {
  /** Absent: unknown, the job starts cold. */
  readonly bytes: number | undefined;
  /** What it will most likely take; the rest of `bytes` is a margin. Absent: all of it. */
  readonly likelyBytes?: number | undefined;
  readonly load: number | undefined;
  /** Expected run time; absent: unknown. */
  readonly durationMs: number | undefined;
  /** Where the number comes from, for people: `declared`, `3 runs`. */
  readonly source: string;
}

/** A right to part of one or more cards. */
export interface Lease {
  readonly id: string;
  /** For messages: the job's name. */
  readonly label: string;
  readonly user: string;
  readonly cards: readonly string[];
  /** Bytes held on each card from the grant on; of a cold lease only what it holds at least. */
  readonly reservedBytes: number;
  /** What it will most likely take of that; absent: all of it. */
  readonly likelyBytes?: number;
  /** Most bytes seen on one of its cards. */
  readonly observedBytes: number;
  readonly load: number;
  /** Its size was unknown at the start and has not become steady since. */
  readonly cold: boolean;
  /** A cold one that has not shown yet what it takes at first. */
  readonly settling: boolean;
  /** Nothing else on its cards. */
  readonly alone: boolean;
  readonly startedAt: number;
  readonly durationMs: number | undefined;
  /** Jobs of one kind resemble each other. */
  readonly kind: string;
}

/** Somebody who waits for cards. */
export interface Waiting {
  readonly id: string;
  readonly label: string;
  readonly user: string;
  readonly since: number;
  readonly priority: number;
  /** Longest path of expected run times from this job to the end of its workflow; absent: its own run time. */
  readonly weightMs: number | undefined;
  readonly count: number;
  /** Share of one card, where a fraction of a single one is asked for; absent: memory and load decide. */
  readonly fraction: number | undefined;
  readonly alone: boolean;
  /** Name of a model or part of it, or several with `|`; absent: any. */
  readonly model: string | undefined;
  /** Its cards must be linked closely. */
  readonly linked: boolean;
  /** Ids of the only cards it may get; absent: any. */
  readonly among: readonly string[] | undefined;
  readonly kind: string;
  readonly need: Need;
}

/** Everything a decision depends on. */
export interface Situation {
  readonly cards: readonly Card[];
  readonly leases: readonly Lease[];
  readonly queue: readonly Waiting[];
  /** GPU time that users have had of late, in any unit; who had less goes first. */
  readonly usage: ReadonlyMap<string, number>;
  readonly settings: Settings;
  readonly now: number;
}

/** Cards for one who waited. */
export interface Grant {
  readonly id: string;
  readonly cards: readonly string[];
  readonly reservedBytes: number;
  readonly likelyBytes: number;
  readonly load: number;
  readonly cold: boolean;
}

/** Why a card does not take a request. */
export type Obstacle =
  | { readonly type: "closed"; readonly why: string }
  | { readonly type: "unsuitable" }
  /** In use, and it takes one process at a time. */
  | { readonly type: "single" }
  /** In use, and somebody wants it alone. */
  | { readonly type: "taken" }
  | { readonly type: "kept"; readonly by: string }
  | { readonly type: "protected"; readonly label: string }
  | { readonly type: "cold"; readonly labels: readonly string[] }
  | { readonly type: "load"; readonly load: number; readonly needs: number }
  | {
      readonly type: "memory";
      readonly needsBytes: number;
      readonly freeBytes: number;
      readonly foreignBytes: number;
      readonly foreignWho: string | undefined;
    };

export interface CardObstacle {
  readonly card: string;
  readonly obstacle: Obstacle;
}

/** Why somebody still waits: the obstacle on each card, or the job of the same kind that runs first. */
export interface Wait {
  readonly id: string;
  readonly position: number;
  readonly obstacles: readonly CardObstacle[];
  readonly sibling: string | undefined;
}

export interface Decision {
  readonly grants: readonly Grant[];
  readonly waits: readonly Wait[];
}
