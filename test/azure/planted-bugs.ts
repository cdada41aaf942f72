/**
 * Bugs that somebody could make in the Azure backend, as textual changes. Each must break a test of
 * `promises*.test.ts`; `planted-bugs.test.ts` sees to that.
 */

export interface PlantedBug {
  /** What the backend then does wrong. */
  readonly bug: string;
  /** A part of the name of the test that notices. */
  readonly breaks: string;
  /** Below the package. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    bug: "takes a task that is there already for a refusal",
    breaks: "of adding tasks makes nothing twice",
    file: "src/service/rows.ts",
    find: `if (lower(code) === "taskexists") return { type: "exists" };`,
    replace: "",
  },
  {
    bug: "takes a job that is there already for a failure",
    breaks: "of adding a job makes nothing twice",
    file: "src/jobs.ts",
    find: `if (!hasCode(error, "JobExists")) throw error;`,
    replace: "throw error;",
  },
  {
    bug: "expects words in the case of the client's types",
    breaks: "of adding tasks makes nothing twice",
    file: "src/service/rows.ts",
    find: `(word ?? "").toLowerCase()`,
    replace: `(word ?? "")`,
  },
  {
    bug: "sends more tasks at once than the service takes",
    breaks: "go in collections of a hundred",
    file: "src/submitter.ts",
    find: "const COLLECTION = 100;",
    replace: "const COLLECTION = 101;",
  },
  {
    bug: "reads the first page of a list only",
    breaks: "found again in pages of any size",
    file: "src/service/batch-client.ts",
    find: "if (page.odatanextLink === undefined) return all;",
    replace: "return all;",
  },
  {
    bug: "never sends a request again",
    breaks: "as 503 makes nothing twice",
    file: "src/service/retry.ts",
    find: "if (!(error instanceof ServiceError) || !isTransient(error)) throw error;",
    replace: "throw error;",
  },
  {
    bug: "comes back sooner than the service asked for",
    breaks: "is not called before the time it names",
    file: "src/service/retry.ts",
    find: "if (retryAfterMs === undefined) return window * this.#random();",
    replace: "return window * this.#random();",
  },
  {
    bug: "leaves retries to the client, which waits for half a minute",
    breaks: "as 503 makes nothing twice",
    file: "src/service/batch-client.ts",
    find: "noRetryPolicy: true",
    replace: "noRetryPolicy: false",
  },
  {
    bug: "takes a task that lost its node for one that waits",
    breaks: "is a preemption, and no failure",
    file: "src/attempt/judge.ts",
    find: `if (life === undefined) return { type: "queued" };`,
    replace: `return { type: "queued" };`,
  },
  {
    bug: "believes a list that is old",
    breaks: "does not take the node from a task that runs",
    file: "src/attempt/judge.ts",
    find: `if (life === undefined) return { type: "queued" };
      return sure ? { type: "displaced" } : { type: "ask" };`,
    replace: `return { type: life === undefined ? "queued" : "displaced" };`,
  },
  {
    bug: "lets a node begin an attempt that another has begun",
    breaks: "runs again before anybody has looked",
    file: "node/node.sh",
    find: "409 | 412)",
    replace: "409 | 412) return 0 ;;\n      none)",
  },
  {
    bug: "makes a pool that outlives its job",
    breaks: "ends by itself",
    file: "src/translate/pool.ts",
    find: "keepAlive: false",
    replace: "keepAlive: true",
  },
  {
    bug: "gives a job no end",
    breaks: "ends by itself",
    file: "src/translate/pool.ts",
    find: "constraints: { maxWallClockTime: isoDuration(maxTimeMs) },",
    replace: "",
  },
  {
    bug: "lets the formula ask for any number of nodes",
    breaks: "ends by itself",
    file: "src/translate/autoscale.ts",
    find: "const wanted = `min(${nodes}, needed)`;",
    replace: "const wanted = `max(${nodes}, needed)`;",
  },
  {
    bug: "lets the service try a task again by itself",
    breaks: "ends by itself",
    file: "src/translate/task.ts",
    find: "maxTaskRetryCount: 0",
    replace: "maxTaskRetryCount: 2",
  },
  {
    bug: "lets a link to an archive write as well",
    breaks: "links that allow one thing each",
    file: "src/submitter.ts",
    find: `"support.tar": await link(await archives.support(), "r")`,
    replace: `"support.tar": await link(await archives.support(), "rcw")`,
  },
  {
    bug: "hands secrets over in the task's environment",
    breaks: "holds no secret",
    file: "src/translate/task.ts",
    find: "environmentSettings: [],",
    replace: `environmentSettings: job.secrets.map((name) => ({ name, value: process.env[name] ?? "" })),`,
  },
  {
    bug: "leaves the file with the secrets on the node",
    breaks: "holds no secret",
    file: "node/node.sh",
    find: "  rm -f secrets\n",
    replace: "",
  },
  {
    bug: "does not say why there are no nodes",
    breaks: "with the nodes is told",
    file: "src/waiting.ts",
    find: "const [trouble] = row.errors;",
    replace: "const [trouble] = [] as typeof row.errors;",
  },
  {
    bug: "waits for ever in a job that has ended",
    breaks: "with the job is told to a task that never began",
    file: "src/waiting.ts",
    find: "if (found === undefined || OVER.has(found.state)) this.#over.add(job);",
    replace: "",
  },
  {
    bug: "leaves jobs that are over",
    breaks: "leaves nothing in the account",
    file: "src/clean-up.ts",
    find: "await gone(retry.call(() => batch.deleteJob(id)));",
    replace: "await Promise.resolve();",
  },
  {
    bug: "removes a job that belongs to somebody else",
    breaks: "is left alone when it belongs",
    file: "src/clean-up.ts",
    find: "if (job !== undefined && isOwned(job.metadata, project))",
    replace: "if (job !== undefined)",
  },
  {
    bug: "leaves what attempts brought along in storage",
    breaks: "leaves nothing in the account",
    file: "src/clean-up.ts",
    find: "if (names.length > 0) await retry.call(() => store.remove(names));",
    replace: "",
  },
  {
    bug: "takes an attempt that never began for one that may have run",
    breaks: "has begun nothing",
    file: "src/attempt/exit.ts",
    find: `cause: mayBegin ? "not-begun" : "lost"`,
    replace: `cause: mayBegin ? "lost" : "lost"`,
  },
  {
    bug: "takes it for granted that what was sent once is still there",
    breaks: "has begun nothing",
    file: "src/backend.ts",
    find: "this.#archives.forget();",
    replace: "",
  },
  {
    bug: "takes a preemption for the failure of a node",
    breaks: "is a preemption, and no failure",
    file: "src/attempt/exit.ts",
    find: `cause: priority === "low" ? "preempted" : "node-failed",`,
    replace: `cause: "node-failed",`,
  },
  {
    bug: "does not see that the service ended a task for its time",
    breaks: "with its time is told",
    file: "src/attempt/exit.ts",
    find: "if (failure !== undefined && isOverTime(failure))",
    replace: "if (failure === null)",
  },
];
