// The options of `backends.<name>` with `type: azure-batch`, and a task's own keys under `azure-batch:`.

import type { OptionIssue, Result } from "@flow/core";
import { checkOptions, durationOption } from "@flow/core/reading";
import * as z from "zod";

/** A virtual machine image, and the node agent that belongs to it. */
interface ImageOptions {
  readonly publisher: string;
  readonly offer: string;
  readonly sku: string;
  readonly version: string;
  readonly agent: string;
}

/** What the nodes of a pool are; a task may say otherwise of its own. */
interface NodeOptions {
  readonly vm_size?: string | undefined;
  readonly priority?: "dedicated" | "low" | undefined;
  /** Tasks at once on a node. */
  readonly slots?: number | undefined;
  /** Nodes at most. */
  readonly nodes?: number | undefined;
  /** After so many preemptions of a task, dedicated nodes; absent: never. */
  readonly dedicated_after?: number | undefined;
  /** Preemptions of one task after which it fails; absent: any number. */
  readonly max_preemptions?: number | undefined;
}

export type AzureTaskOptions = NodeOptions;

/** Storage that the nodes of a pool see as a directory, named by its key. */
export type MountOptions = { readonly path?: string | undefined } & (
  | {
      readonly blob: string;
      readonly account?: string | undefined;
      /** Resource id of a managed identity of the pool; absent: the account's key. */
      readonly identity?: string | undefined;
      readonly options?: string | undefined;
    }
  | {
      readonly files: string;
      readonly account?: string | undefined;
      readonly options?: string | undefined;
    }
  | { readonly nfs: string; readonly options?: string | undefined }
);

export interface RegistryOptions {
  readonly server: string;
  readonly user?: string | undefined;
  /** The environment variable that holds the password. */
  readonly password_variable?: string | undefined;
  readonly identity?: string | undefined;
}

interface StorageOptions {
  readonly account: string;
  readonly endpoint?: string | undefined;
  /** Absent: one of the project's own, made when it is first needed. */
  readonly container?: string | undefined;
  readonly key_variable: string;
}

export interface AzureOptions extends NodeOptions {
  readonly endpoint: string;
  readonly account?: string | undefined;
  readonly auth: "key" | "entra";
  readonly key_variable: string;
  readonly api_version?: string | undefined;
  readonly storage: StorageOptions;
  /** A pool per run, one that later runs use too, or one that is there. */
  readonly pool: "ephemeral" | "shared" | { readonly id: string };
  readonly scale: "auto" | "fixed";
  readonly image?: ImageOptions | undefined;
  /** A shell command that every node runs before its first task. */
  readonly start?: string | undefined;
  readonly registries: readonly RegistryOptions[];
  readonly mounts: Readonly<Record<string, MountOptions>>;
  /** The mount that holds output directories and checkpoints; absent: they are staged. */
  readonly state?: string | undefined;
  /** Files and folders of the project → `mount/path`, copied before the first task. */
  readonly upload: Readonly<Record<string, string>>;
  /** `mount/path` below which each attempt leaves its output as Batch AI did. */
  readonly stdouterr?: string | undefined;
  /** How often changed checkpoints are saved from a node where they are staged, in milliseconds. */
  readonly save: number;
  /** Shortest pause between two questions to the service, in milliseconds. */
  readonly poll: number;
  /** How often a node looks for a stop request, in milliseconds. */
  readonly stop_poll: number;
  /** After this long everything of a run is stopped by the service itself, in milliseconds. */
  readonly max_time: number;
  /** What a run may use of one kind of nodes at most: it ends sooner the more nodes it may have. */
  readonly max_node_hours?: number | undefined;
}

const text: z.ZodString = z.string().min(1);
const variable: z.ZodString = z
  .string()
  .regex(/^[A-Za-z_]\w*$/, "Expected the name of an environment variable, not its value.");

const ADDRESS =
  "Expected an https:// address, such as `https://myaccount.westeurope.batch.azure.com`.";

const ON_A_MOUNT = "Expected a path that begins with one of the names under `mounts`.";

const STORAGE = "Expected the storage account, as in `{ account: mystorage }`.";

/** Keys travel in requests, so plain HTTP is only for a server on this machine. */
const endpoint: z.ZodType<string> = z.string(ADDRESS).refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isLoopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(url?.hostname ?? "");
  return url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback);
}, ADDRESS);

const relative: z.ZodType<string> = z
  .string()
  .regex(
    /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[\w.@/-]+$/,
    "Expected a relative path of letters, digits, `.`, `_`, `-`, `@` and `/`.",
  );

const nodeKeys = {
  vm_size: text.optional(),
  priority: z.enum(["dedicated", "low"]).optional(),
  slots: z.int().min(1).max(256).optional(),
  nodes: z.int().min(1).max(1000).optional(),
  dedicated_after: z.int().min(1).optional(),
  max_preemptions: z.int().min(0).optional(),
};

const taskOptionsSchema: z.ZodType<AzureTaskOptions> = z.strictObject(nodeKeys);

const mount: z.ZodType<MountOptions> = z.union(
  [
    z.strictObject({
      blob: text,
      account: text.optional(),
      identity: text.optional(),
      options: text.optional(),
      path: relative.optional(),
    }),
    z.strictObject({
      files: text,
      account: text.optional(),
      options: text.optional(),
      path: relative.optional(),
    }),
    z.strictObject({ nfs: text, options: text.optional(), path: relative.optional() }),
  ],
  { error: "Expected `{blob: CONTAINER}`, `{files: SHARE}` or `{nfs: SERVER:/PATH}`." },
);

const optionsSchema: z.ZodType<AzureOptions> = z
  .strictObject({
    ...nodeKeys,
    endpoint,
    account: text.optional(),
    auth: z.enum(["key", "entra"]).default("key"),
    key_variable: variable.default("AZURE_BATCH_ACCESS_KEY"),
    api_version: text.optional(),
    storage: z.strictObject(
      {
        account: text,
        endpoint: endpoint.optional(),
        container: z
          .string()
          .regex(/^[a-z0-9](-?[a-z0-9]){2,62}$/, "Expected the name of a container.")
          .optional(),
        key_variable: variable.default("AZURE_STORAGE_KEY"),
      },
      { error: ({ input }) => (input === undefined ? STORAGE : undefined) },
    ),
    pool: z
      .union([z.enum(["ephemeral", "shared"]), z.strictObject({ id: poolId() })], {
        error: "Expected `ephemeral`, `shared` or `{id: POOL}`.",
      })
      .default("ephemeral"),
    scale: z.enum(["auto", "fixed"]).default("auto"),
    image: z
      .strictObject({
        publisher: text,
        offer: text,
        sku: text,
        version: text.default("latest"),
        agent: text,
      })
      .optional(),
    start: text.optional(),
    registries: z
      .array(
        z.strictObject({
          server: text,
          user: text.optional(),
          password_variable: variable.optional(),
          identity: text.optional(),
        }),
      )
      .default([]),
    mounts: z.record(z.string().regex(/^[A-Za-z_][\w-]*$/), mount).default({}),
    state: text.optional(),
    upload: z.record(text, relative).default({}),
    stdouterr: relative.optional(),
    save: durationOption.default(30_000),
    poll: durationOption.default(5000),
    stop_poll: durationOption.default(5000),
    max_time: durationOption.default(86_400_000),
    max_node_hours: z.number().positive().optional(),
  })
  .superRefine(checkTogether);

function poolId(): z.ZodString {
  return z
    .string()
    .regex(/^[\w-]{1,64}$/, "Expected at most 64 letters, digits, hyphens and underscores.");
}

/** What no key can say for itself. */
function checkTogether(options: AzureOptions, context: z.RefinementCtx): void {
  const issue = (path: readonly string[], message: string): void =>
    context.addIssue({ code: "custom", path: [...path], message });
  const isOurs = typeof options.pool === "string";
  const { mounts, state, upload, stdouterr } = options;
  if (isOurs && options.vm_size === undefined)
    issue(["vm_size"], "Expected the size of the nodes, such as `standard_d2s_v3`.");
  if (!isOurs) {
    for (const key of [
      "vm_size",
      "priority",
      "nodes",
      "image",
      "start",
      "dedicated_after",
      "max_node_hours",
    ] as const)
      if (options[key] !== undefined)
        issue([key], `Only pools that flow makes have it; \`pool: {id}\` names one that is there.`);
  }
  const known = (name: string): boolean => Object.hasOwn(mounts, name);
  if (state !== undefined && !known(state))
    issue(["state"], `Expected one of the names under \`mounts\`, not \`${state}\`.`);
  const isOnMount = (place: string): boolean => known(place.split("/")[0] ?? "");
  for (const [local, place] of Object.entries(upload))
    if (!isOnMount(place)) issue(["upload", local], ON_A_MOUNT);
  if (stdouterr !== undefined && !isOnMount(stdouterr)) issue(["stdouterr"], ON_A_MOUNT);
}

export const parseOptions = (input: unknown): Result<AzureOptions, readonly OptionIssue[]> =>
  checkOptions(optionsSchema, input);

export const parseTaskOptions = (
  input: unknown,
): Result<AzureTaskOptions, readonly OptionIssue[]> => checkOptions(taskOptionsSchema, input);
