// What clients and the broker tell each other: one JSON object a line over a unix socket. A lease
// lives as long as the connection it was granted on, or any copy of its descriptor.

/** Version of this protocol; a broker answers no other. */
export const PROTOCOL = 1;
/** Longest line the broker reads. */
export const MAX_LINE = 16_384;

export interface AcquireMessage {
  readonly m: "acquire";
  readonly proto: number;
  /** For people: the task's name or the command. */
  readonly label: string;
  /** Names of the job's profile, most exact first. */
  readonly keys: readonly string[];
  readonly params?: Readonly<Record<string, number>>;
  readonly gpus?: number;
  readonly bytes?: number;
  readonly load?: number;
  readonly model?: string;
  readonly linked?: boolean;
  readonly alone?: boolean;
  readonly priority?: number;
  readonly weightMs?: number;
  /** An earlier attempt showed that it needs at least this much. */
  readonly floorBytes?: number;
  /** Milliseconds since its first attempt asked: a job that runs again keeps its place in the queue. */
  readonly sinceFirstMs?: number;
  /** Indices or UUIDs of the only GPUs it may get. */
  readonly among?: readonly string[];
  /** The asking process itself will use the GPU, not a program that it starts with the mark. */
  readonly inProcess?: boolean;
}

export interface OutOfMemoryMessage {
  readonly strength: "strong" | "weak";
  readonly askedBytes?: number;
  readonly usedBytes?: number;
  readonly line: string;
}

export type ClientMessage =
  | AcquireMessage
  | {
      readonly m: "release";
      readonly lease: string;
      readonly succeeded: boolean;
      readonly outOfMemory?: OutOfMemoryMessage;
      readonly peakBytes?: number;
    }
  /** After a restart of the broker: this connection holds the lease again. */
  | { readonly m: "rebind"; readonly lease: string; readonly secret: string }
  | { readonly m: "status" }
  | { readonly m: "profile"; readonly forget?: string; readonly add?: readonly ProfileLine[] }
  | { readonly m: "drain"; readonly gpu: string; readonly on: boolean }
  | { readonly m: "stop" };

/** A row of the profiles as it is exported. */
export type ProfileLine = readonly [string, unknown];

export interface GrantedCard {
  readonly id: string;
  readonly index: number;
}

export type ErrorCode = "TOO_BIG" | "NO_GPU" | "DENIED" | "BUSY" | "BAD_REQUEST" | "VERSION";

export type BrokerMessage =
  | { readonly m: "queued"; readonly position: number; readonly why: string }
  | {
      readonly m: "granted";
      readonly lease: string;
      readonly secret: string;
      readonly cards: readonly GrantedCard[];
      /** Bytes that are kept for the job on each card. */
      readonly bytes: number;
      /** Nobody knows yet what jobs of this kind need. */
      readonly cold: boolean;
    }
  | { readonly m: "released"; readonly verdict: VerdictMessage }
  | { readonly m: "rebound" }
  | ({ readonly m: "status" } & Status)
  | { readonly m: "profile"; readonly rows: readonly ProfileLine[] }
  | { readonly m: "done" }
  | { readonly m: "error"; readonly code: ErrorCode; readonly message: string };

export interface VerdictMessage {
  readonly type: "ok" | "failed" | "oom-self" | "crowded-out";
  /** What the next attempt should get at least; with `oom-self`. */
  readonly bytes?: number;
  /** Most memory seen on one card; absent where nothing was seen. */
  readonly peakBytes?: number;
}

export interface Status {
  readonly pid: number;
  readonly source: string;
  readonly cards: readonly {
    readonly index: number;
    readonly id: string;
    readonly model: string;
    readonly capacityBytes: number;
    readonly usedBytes: number | null;
    readonly heldBytes: number;
    readonly foreignBytes: number;
    readonly foreignWho: string | null;
    readonly load: number | null;
    readonly closed: string | null;
  }[];
  readonly leases: readonly {
    readonly id: string;
    readonly label: string;
    readonly user: string;
    readonly cards: readonly number[];
    readonly reservedBytes: number;
    readonly observedBytes: number;
    readonly load: number;
    readonly state: "starting" | "warming" | "steady" | "orphan";
    readonly forMs: number;
  }[];
  readonly queue: readonly {
    readonly label: string;
    readonly user: string;
    readonly position: number;
    readonly forMs: number;
    readonly why: string;
  }[];
}

/** Reads a client's line; a sentence when it is not one. */
export function parseClientMessage(line: string): ClientMessage | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "The line is not JSON.";
  }
  if (typeof value !== "object" || value === null) return "Expected an object.";
  const fields = value as Record<string, unknown>;
  const text = (name: string): boolean => typeof fields[name] === "string";
  switch (fields["m"]) {
    case "acquire":
      return isAcquire(fields) ? (value as AcquireMessage) : "`acquire` has a wrong field.";
    case "release":
      return text("lease") && typeof fields["succeeded"] === "boolean"
        ? (value as ClientMessage)
        : "`release` needs `lease` and `succeeded`.";
    case "rebind":
      return text("lease") && text("secret")
        ? (value as ClientMessage)
        : "`rebind` needs `lease` and `secret`.";
    case "drain":
      return text("gpu") && typeof fields["on"] === "boolean"
        ? (value as ClientMessage)
        : "`drain` needs `gpu` and `on`.";
    case "status":
    case "profile":
    case "stop":
      return value as ClientMessage;
    default:
      return `Unknown message ${JSON.stringify(fields["m"] ?? null)}.`;
  }
}

function isAcquire(fields: Readonly<Record<string, unknown>>): boolean {
  const isText = (value: unknown): boolean => typeof value === "string";
  const isAmount = (value: unknown): boolean =>
    value === undefined || (typeof value === "number" && Number.isFinite(value) && value >= 0);
  const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
  const { keys, params = {}, among = [], model = "", priority = 0 } = fields;
  return (
    isText(fields["label"]) &&
    isTexts(keys) &&
    (keys as readonly string[]).length > 0 &&
    isTexts(among) &&
    isText(model) &&
    Number.isFinite(priority) &&
    typeof params === "object" &&
    params !== null &&
    Object.values(params).every(isAmount) &&
    ["proto", "gpus", "bytes", "load", "weightMs", "floorBytes", "sinceFirstMs"].every((name) =>
      isAmount(fields[name]),
    )
  );
}
