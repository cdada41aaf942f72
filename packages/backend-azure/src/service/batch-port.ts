// What flow needs of the Batch service, in its own types. The bodies are the service's own JSON,
// reduced to the members that flow sends.

export interface NameValue {
  readonly name: string;
  readonly value: string;
}

export interface ResourceFileBody {
  readonly httpUrl: string;
  readonly filePath: string;
  readonly fileMode?: string;
}

interface OutputFileBody {
  readonly filePattern: string;
  readonly destination: {
    readonly container: { readonly containerUrl: string; readonly path: string };
  };
  readonly uploadOptions: { readonly uploadCondition: "taskcompletion" };
}

interface UserIdentityBody {
  readonly autoUser: {
    readonly scope: "task" | "pool";
    readonly elevationLevel: "nonadmin" | "admin";
  };
}

export interface RegistryBody {
  readonly registryServer: string;
  readonly userName?: string;
  readonly password?: string;
  readonly identityReference?: { readonly resourceId: string };
}

interface ContainerBody {
  readonly imageName: string;
  readonly containerRunOptions?: string;
  readonly workingDirectory?: "taskWorkingDirectory";
}

export interface TaskBody {
  readonly id: string;
  readonly displayName: string;
  readonly commandLine: string;
  readonly containerSettings?: ContainerBody;
  readonly resourceFiles: readonly ResourceFileBody[];
  readonly outputFiles: readonly OutputFileBody[];
  readonly environmentSettings: readonly NameValue[];
  readonly constraints: {
    readonly maxWallClockTime?: string;
    readonly retentionTime: string;
    readonly maxTaskRetryCount: number;
  };
  readonly requiredSlots?: number;
  readonly userIdentity: UserIdentityBody;
  readonly multiInstanceSettings?: {
    readonly numberOfInstances: number;
    readonly coordinationCommandLine: string;
    readonly commonResourceFiles: readonly ResourceFileBody[];
  };
}

export type MountBody =
  | {
      readonly azureBlobFileSystemConfiguration: {
        readonly accountName: string;
        readonly containerName: string;
        readonly relativeMountPath: string;
        readonly accountKey?: string;
        readonly sasKey?: string;
        readonly identityReference?: { readonly resourceId: string };
        readonly blobfuseOptions?: string;
      };
    }
  | {
      readonly azureFileShareConfiguration: {
        readonly accountName: string;
        readonly azureFileUrl: string;
        readonly accountKey: string;
        readonly relativeMountPath: string;
        readonly mountOptions?: string;
      };
    }
  | {
      readonly nfsMountConfiguration: {
        readonly source: string;
        readonly relativeMountPath: string;
        readonly mountOptions?: string;
      };
    };

export interface ImageReference {
  readonly publisher: string;
  readonly offer: string;
  readonly sku: string;
  readonly version: string;
}

export interface PoolSpecBody {
  readonly displayName: string;
  readonly vmSize: string;
  readonly virtualMachineConfiguration: {
    readonly imageReference: ImageReference;
    readonly nodeAgentSKUId: string;
    readonly containerConfiguration?: {
      readonly type: "dockerCompatible";
      readonly containerImageNames?: readonly string[];
      readonly containerRegistries?: readonly RegistryBody[];
    };
  };
  readonly taskSlotsPerNode: number;
  readonly targetDedicatedNodes?: number;
  readonly targetLowPriorityNodes?: number;
  readonly enableAutoScale: boolean;
  readonly autoScaleFormula?: string;
  readonly autoScaleEvaluationInterval?: string;
  readonly enableInterNodeCommunication: boolean;
  readonly startTask?: {
    readonly commandLine: string;
    readonly userIdentity: UserIdentityBody;
    readonly maxTaskRetryCount: number;
    readonly waitForSuccess: boolean;
  };
  readonly metadata: readonly NameValue[];
  readonly mountConfiguration?: readonly MountBody[];
  readonly targetNodeCommunicationMode: "simplified";
}

interface PoolBody extends PoolSpecBody {
  readonly id: string;
}

export interface JobBody {
  readonly id: string;
  readonly displayName: string;
  readonly priority: number;
  readonly constraints: { readonly maxWallClockTime: string };
  readonly poolInfo:
    | { readonly poolId: string }
    | {
        readonly autoPoolSpecification: {
          readonly autoPoolIdPrefix: string;
          readonly poolLifetimeOption: "job";
          readonly keepAlive: false;
          readonly pool: PoolSpecBody;
        };
      };
  readonly onAllTasksComplete: "noaction" | "terminatejob";
  readonly metadata: readonly NameValue[];
}

/** A task as the service lists it. Words are in lower case; times are Unix milliseconds. */
export interface TaskRow {
  readonly id: string;
  /** `active preparing running completed`. */
  readonly state: string;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly exitCode: number | undefined;
  readonly failure:
    | {
        /** `usererror` or `servererror`. */
        readonly category: string;
        readonly code: string;
        readonly message: string;
        readonly details: readonly NameValue[];
      }
    | undefined;
  readonly node: string | undefined;
  readonly pool: string | undefined;
}

export interface JobRow {
  readonly id: string;
  /** `active disabling disabled enabling terminating completed deleting`. */
  readonly state: string;
  /** The pool the service made or was told of; undefined while it has none. */
  readonly pool: string | undefined;
  readonly metadata: readonly NameValue[];
  /** Why it has ended, in lower case: `maxwallclocktimeexpiry`, `userterminate`; undefined while it has not. */
  readonly endReason: string | undefined;
}

export interface PoolRow {
  readonly id: string;
  /** `active deleting`. */
  readonly state: string;
  /** `steady resizing stopping`. */
  readonly allocation: string;
  readonly vmSize: string;
  readonly dedicated: number;
  readonly lowPriority: number;
  readonly targetDedicated: number;
  readonly targetLowPriority: number;
  readonly autoScale: boolean;
  readonly slotsPerNode: number;
  readonly interNode: boolean;
  readonly hasContainers: boolean;
  readonly mounts: readonly string[];
  readonly errors: readonly { readonly code: string; readonly message: string }[];
  readonly metadata: readonly NameValue[];
}

export interface NodeRow {
  readonly id: string;
  /** `idle rebooting reimaging running unusable creating starting waitingforstarttask starttaskfailed …`. */
  readonly state: string;
  readonly dedicated: boolean;
  readonly runningTasks: number;
  readonly vmSize: string;
  readonly errors: readonly { readonly code: string; readonly message: string }[];
  readonly startTaskExit: number | undefined;
}

interface RemoteFile {
  readonly name: string;
  readonly bytes: number;
}

/** What came of one task of a collection. */
export type Added =
  | { readonly type: "added" }
  | { readonly type: "exists" }
  /** The service has trouble; the same task may be sent again. */
  | { readonly type: "again"; readonly message: string }
  | { readonly type: "refused"; readonly code: string; readonly message: string };

export interface Image {
  readonly reference: ImageReference;
  readonly agent: string;
  readonly verified: boolean;
  /** Unix milliseconds; undefined: no end is known. */
  readonly endOfLife: number | undefined;
  readonly capabilities: readonly string[];
}

/** Every call rejects with a ServiceError when the service does not do it; nothing is retried here. */
export interface BatchPort {
  addJob(body: JobBody): Promise<void>;
  /** Undefined when there is none. */
  job(id: string): Promise<JobRow | undefined>;
  jobs(prefix: string): Promise<readonly JobRow[]>;
  endJobWithItsTasks(id: string): Promise<void>;
  deleteJob(id: string): Promise<void>;
  /** At most a hundred. */
  addTasks(job: string, bodies: readonly TaskBody[]): Promise<ReadonlyMap<string, Added>>;
  tasks(job: string): Promise<readonly TaskRow[]>;
  task(job: string, id: string): Promise<TaskRow | undefined>;
  terminateTask(job: string, id: string): Promise<void>;
  files(job: string, task: string): Promise<readonly RemoteFile[]>;
  /** Size in bytes; undefined while there is no such file, or no node that could tell. */
  fileSize(job: string, task: string, path: string): Promise<number | undefined>;
  /** Bytes `from` (inclusive) to `to` (exclusive), or fewer; undefined as for `fileSize`. */
  readFile(
    job: string,
    task: string,
    path: string,
    from: number,
    to: number,
  ): Promise<Uint8Array | undefined>;
  addPool(body: PoolBody): Promise<void>;
  pool(id: string): Promise<PoolRow | undefined>;
  pools(): Promise<readonly PoolRow[]>;
  resizePool(id: string, dedicated: number, lowPriority: number): Promise<void>;
  setAutoScale(id: string, formula: string, interval: string): Promise<void>;
  disableAutoScale(id: string): Promise<void>;
  deletePool(id: string): Promise<void>;
  nodes(pool: string): Promise<readonly NodeRow[]>;
  nodeFile(pool: string, node: string, path: string): Promise<Uint8Array | undefined>;
  images(): Promise<readonly Image[]>;
}
