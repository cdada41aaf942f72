// The shape of a flow file as it is written, before anything is expanded. The schema beside this
// file is checked against these types. Unknown keys are errors, except those starting with `x-`.

/** Text, or a number or boolean that is used as its text. */
export type Scalar = string | number | boolean | null;

/** A number, or text that becomes one once its templates are filled in. */
type Amount = number | string;

type ActionEntry = string | readonly Scalar[] | ActionMap;

interface ActionMap {
  readonly run?: string | undefined;
  readonly exec?: string | readonly Scalar[] | undefined;
  readonly script?: string | undefined;
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, Scalar>> | undefined;
  readonly timeout?: Amount | undefined;
  readonly ok_exit?: number | readonly number[] | undefined;
  readonly stdin?: string | undefined;
  readonly shell?: "sh" | "bash" | undefined;
}

type DepEntry = string | DepMap;

interface DepMap {
  readonly path?: string | undefined;
  readonly check?: "content" | "mtime" | "size" | undefined;
  readonly optional?: boolean | undefined;
  readonly external?: boolean | undefined;
  readonly file?: string | undefined;
  readonly keys?: string | readonly string[] | undefined;
  readonly task?: string | undefined;
  readonly target?: string | undefined;
  readonly where?: string | undefined;
  readonly best?: string | undefined;
  readonly per?: OneOrMany<string> | undefined;
}

type TargetEntry = string | TargetMap;

interface TargetMap {
  readonly path: string;
  readonly nonempty?: boolean | undefined;
  readonly sha256?: string | undefined;
  readonly optional?: boolean | undefined;
  readonly update?: boolean | undefined;
  readonly keep?: "until_used" | undefined;
}

interface UseMap {
  readonly task: string;
  readonly key?: string | undefined;
}

interface MetricEntry {
  readonly stdout?: string | undefined;
  readonly json?: string | undefined;
  readonly jsonl?: string | undefined;
}

interface RequireMap {
  readonly check: string;
  readonly message?: string | undefined;
}

interface RetriesMap {
  readonly max?: Amount | undefined;
  readonly for?: string | readonly string[] | undefined;
  readonly backoff?: Amount | undefined;
  readonly escalate?: Readonly<Record<string, Readonly<Record<string, Amount>>>> | undefined;
}

interface ResourcesMap {
  readonly cpus?: Amount | undefined;
  readonly mem?: Amount | undefined;
  readonly gpus?: Amount | undefined;
  readonly gpu_mem?: Amount | undefined;
  readonly gpu_model?: string | undefined;
  readonly else_cpus?: Amount | undefined;
  readonly disk?: Amount | undefined;
  readonly time?: Amount | undefined;
  readonly nodes?: Amount | undefined;
  readonly mpi?: { readonly processes: Amount } | undefined;
}

/** The axes of a matrix beside its reserved keys `zip include exclude max_parallel fail_fast`. */
type MatrixMap = Readonly<Record<string, unknown>>;

interface SweepMap {
  readonly method?: "grid" | "random" | "list" | "external" | undefined;
  readonly command?: string | readonly Scalar[] | undefined;
  readonly batch?: Amount | undefined;
  readonly trials?: Amount | undefined;
  readonly seed?: Amount | undefined;
  readonly params?: unknown;
  readonly objective?: string | undefined;
  readonly stop?:
    | "median"
    | "asha"
    | {
        readonly median?:
          | { readonly after?: Amount | undefined; readonly trials?: Amount | undefined }
          | undefined;
      }
    | {
        readonly asha?:
          | {
              readonly min?: Amount | undefined;
              readonly max?: Amount | undefined;
              readonly eta?: Amount | undefined;
            }
          | undefined;
      }
    | undefined;
}

type OneOrMany<T> = T | readonly T[];

export interface TaskEntry {
  readonly desc?: string | undefined;
  readonly tags?: OneOrMany<string> | undefined;
  readonly alias?: OneOrMany<string> | undefined;
  readonly hidden?: boolean | undefined;
  readonly matrix?: MatrixMap | undefined;
  readonly sweep?: SweepMap | undefined;
  readonly each?: string | undefined;

  readonly deps?: OneOrMany<DepEntry> | Readonly<Record<string, OneOrMany<DepEntry>>> | undefined;
  readonly after?: OneOrMany<string> | undefined;
  readonly uses?: Readonly<Record<string, string | UseMap>> | undefined;
  readonly track?:
    | {
        readonly env?: OneOrMany<string> | undefined;
        readonly cmd?: OneOrMany<string> | undefined;
        readonly text?: OneOrMany<Scalar> | undefined;
      }
    | undefined;

  readonly targets?: OneOrMany<TargetEntry> | Readonly<Record<string, TargetEntry>> | undefined;
  readonly outputs?: OneOrMany<string> | Readonly<Record<string, string | null>> | undefined;
  readonly checkpoint?:
    | boolean
    | string
    | { readonly path?: string | undefined; readonly keep?: boolean | undefined }
    | undefined;
  readonly metrics?: OneOrMany<MetricEntry> | undefined;
  readonly values?: string | undefined;
  readonly protect?: boolean | undefined;

  readonly actions?: string | ActionMap | readonly ActionEntry[] | undefined;
  readonly finally?: string | ActionMap | readonly ActionEntry[] | undefined;
  readonly env?: Readonly<Record<string, Scalar>> | undefined;
  readonly cwd?: string | undefined;
  readonly interactive?: boolean | undefined;
  readonly budget?: OneOrMany<string> | undefined;

  readonly always?: boolean | undefined;
  readonly frozen?: boolean | undefined;
  readonly fresh?: string | undefined;

  readonly when?: string | boolean | undefined;
  readonly require?: OneOrMany<string | RequireMap> | undefined;
  readonly retries?: Amount | RetriesMap | undefined;
  readonly requeue?: "auto" | "always" | "never" | undefined;
  readonly requeue_codes?: OneOrMany<number> | undefined;
  readonly max_requeues?: Amount | undefined;
  readonly requeue_delay?: Amount | undefined;
  readonly timeout?: Amount | undefined;
  readonly hang_after?: Amount | undefined;
  readonly stop?:
    | { readonly signal?: string | undefined; readonly grace?: Amount | undefined }
    | undefined;
  readonly allow_failure?: boolean | undefined;
  readonly priority?: Amount | undefined;

  readonly resources?: ResourcesMap | undefined;
  readonly pools?: OneOrMany<string> | Readonly<Record<string, Amount>> | undefined;
  readonly backend?: string | undefined;
  readonly container?: string | undefined;
  readonly mounts?: Readonly<Record<string, string>> | undefined;
  readonly clean?: "targets" | "none" | readonly ActionEntry[] | undefined;

  readonly local?: Readonly<Record<string, unknown>> | undefined;
  readonly gpu?: Readonly<Record<string, unknown>> | undefined;
  readonly slurm?: Readonly<Record<string, unknown>> | undefined;
  readonly "azure-batch"?: Readonly<Record<string, unknown>> | undefined;
}

export interface FlowFile {
  readonly version?: 1 | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly root?: string | undefined;
  readonly workspace?: string | undefined;
  readonly experiment?: string | undefined;
  readonly include?: Readonly<Record<string, string>> | undefined;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly env?: Readonly<Record<string, Scalar>> | undefined;
  readonly dotenv?: OneOrMany<string> | undefined;
  readonly shell?: "sh" | "bash" | undefined;
  readonly defaults?: TaskEntry | undefined;
  readonly jobs?: number | undefined;
  readonly pools?: Readonly<Record<string, number>> | undefined;
  readonly backends?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly default?: OneOrMany<string> | undefined;
  readonly ignore?: OneOrMany<string> | undefined;
  readonly code?:
    | {
        readonly include?: OneOrMany<string> | undefined;
        readonly omit?: OneOrMany<string> | undefined;
      }
    | undefined;
  readonly compat?: OneOrMany<string> | undefined;
  readonly secrets?: OneOrMany<string> | undefined;
  readonly tasks?: Readonly<Record<string, TaskEntry | null>> | undefined;
}
