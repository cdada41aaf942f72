// What a task asks for and what there is to give. Amounts are integers (thousandths of a cpu or a
// gpu, bytes, milliseconds), so that sums never drift.

/** What a task asks for while it runs. Absent means the backend's default, usually no limit. */
export interface ResourceRequest {
  /** Thousandths of a cpu; absent counts as one cpu where cpus decide how many run at once. */
  readonly cpusMilli: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Thousandths of a GPU; a fraction shares one device. */
  readonly gpusMilli: number | undefined;
  readonly gpuMemoryBytes: number | undefined;
  readonly gpuModel: string | undefined;
  /** Cpus (thousandths) to use instead when there is no GPU; absent: a GPU is needed. */
  readonly elseCpusMilli: number | undefined;
  readonly diskBytes: number | undefined;
  /** Expected or allowed run time, as asked of a scheduler; not a time-out. */
  readonly timeMs: number | undefined;
  readonly nodes: number | undefined;
  /** Number of MPI processes over all nodes. */
  readonly mpiProcesses: number | undefined;
}

/** A request for nothing in particular. */
export const NO_RESOURCES: ResourceRequest = {
  cpusMilli: undefined,
  memoryBytes: undefined,
  gpusMilli: undefined,
  gpuMemoryBytes: undefined,
  gpuModel: undefined,
  elseCpusMilli: undefined,
  diskBytes: undefined,
  timeMs: undefined,
  nodes: undefined,
  mpiProcesses: undefined,
};

/** How much of each named pool a task holds while it runs. */
export type PoolRequest = Readonly<Record<string, number>>;

/** What the scheduler may give out at once, over all tasks of the run. */
export interface Limits {
  /** Tasks at once (`-n`); absent: cpus decide. */
  readonly slots: number | undefined;
  /** Absent: not limited here (a cluster's own queue decides). */
  readonly cpusMilli: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly pools: Readonly<Record<string, number>>;
}
