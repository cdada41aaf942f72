// Hands attempts to the scheduler, each exactly once. Before the submit command runs, every attempt
// says on disk which submission it belongs to and the submission lists its attempts; the submission's
// name is the job's name. So whatever becomes of the command's answer, the jobs can be found, and what
// was never taken can be told from what was.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import {
  type AttemptKey,
  attemptHandle,
  type BackendFailure,
  type Clock,
  err,
  type Handle,
  type Job,
  ok,
  type Result,
} from "@flow/core";
import {
  discharge,
  enlist,
  isClosed,
  type Membership,
  readIncarnation,
  readMembership,
} from "./attempt/files.ts";
import { SETTLE_MS } from "./attempt/judge.ts";
import { specOf } from "./attempt/spec.ts";
import type { Pilots, Secrets } from "./pilots.ts";
import { pieces, type Queue } from "./queue.ts";
import type { Refusal, Scheduler } from "./schedulers/scheduler.ts";
import type { Site } from "./site/site.ts";
import type { Transport } from "./transport/transport.ts";

export interface SubmitterOptions {
  readonly scheduler: Scheduler;
  readonly transport: Transport;
  readonly queue: Queue;
  readonly clock: Clock;
  /** Where submissions lie; absolute. */
  readonly folder: string;
  readonly site: Site;
  readonly secrets: Secrets;
  readonly pilots: Pilots;
  /** The time limit of a pilot for this job; undefined when it is to be a job of its own. */
  pilotTime(job: Job): number | undefined;
}

type Answer = Result<Handle, BackendFailure>;
type Answers = Map<AttemptKey, Answer>;

/** A job that can be handed over. */
interface Ready {
  readonly job: Job;
  readonly request: readonly string[];
  readonly spec: string;
  readonly generation: number;
  /** Runs in a pilot. */
  readonly pilot: boolean;
}

/** Pauses between searches for a submission whose answer was lost. */
const SEARCH_MS = 300;

/** After a refusal for want of room, and after a controller that was away. */
const BUSY_RETRY_MS = 30_000;
const AWAY_RETRY_MS = 5000;

export class Submitter {
  readonly #options: SubmitterOptions;
  #maxMembers: Promise<number> | undefined;

  constructor(options: SubmitterOptions) {
    this.#options = options;
  }

  async submit(
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Answer>> {
    const answers: Answers = new Map();
    const fresh: Ready[] = [];
    for (const job of signal.aborted ? [] : jobs) {
      if (isClosed(job.paths.attempt)) {
        answers.set(job.key, rejected(`Attempt ${job.key} was given up before it started.`));
        continue;
      }
      const ready = this.#prepare(job, 0);
      if (!ready.ok) answers.set(job.key, ready);
      else if (readMembership(job.paths.attempt) === undefined) fresh.push(ready.value);
      else answers.set(job.key, await this.#again(ready.value));
    }
    const groups = groupBy(fresh, shapeOf);
    for (const group of groups.values()) {
      if (group[0]?.pilot === true) {
        await this.#enqueue(group, answers);
        continue;
      }
      const size = group.length === 1 ? 1 : await this.#sizeLimit();
      for (const piece of pieces(group, size)) await this.#handOver(piece, answers);
    }
    return answers;
  }

  #prepare(job: Job, generation: number): Result<Ready, BackendFailure> {
    const { scheduler, site } = this.#options;
    if (/\n/.test(job.paths.attempt))
      return rejected("The project's path holds a newline, which batch jobs cannot bear.");
    const timeMs = this.#options.pilotTime(job);
    const pilot = timeMs !== undefined;
    const asked = pilot ? { ...job, resources: { ...job.resources, timeMs } } : job;
    const request = scheduler.request(asked);
    const there = site.translate(job);
    const { restarts: _, ...once } = there;
    const spec = specOf(pilot ? once : there, site.scripts, scheduler.ownVariable);
    if (!spec.ok) return rejected(spec.error);
    return ok({ job, request, spec: spec.value, generation, pilot });
  }

  /** An attempt that was handed over before: found, or handed over anew once it certainly was not taken. */
  async #again(ready: Ready): Promise<Answer> {
    const { job } = ready;
    const { attempt } = job.paths;
    const membership = readMembership(attempt) as Membership;
    const found = await this.search([{ attempt, membership }]);
    if (typeof found === "string") return unavailable(found, AWAY_RETRY_MS);
    if (found.has(attempt)) return ok(attemptHandle(job.key, attempt));
    const { generation } = membership;
    const fenced = await this.#options.site.fence(attempt, generation, 0);
    if (fenced === undefined) return unavailable("the cluster does not answer", AWAY_RETRY_MS);
    if (!fenced) return ok(attemptHandle(job.key, attempt));
    const answers: Answers = new Map();
    const anew = [{ ...ready, generation: generation + 1 }];
    await (ready.pilot ? this.#enqueue(anew, answers) : this.#handOver(anew, answers));
    return answers.get(job.key) ?? unavailable("another flow has taken it", AWAY_RETRY_MS);
  }

  /**
   * Which of these attempts exist, by the scheduler's list or by their own claim. Waits until what
   * was submitted a moment ago can be seen. A text when the scheduler did not answer.
   */
  async search(
    wanted: readonly { readonly attempt: string; readonly membership: Membership }[],
  ): Promise<ReadonlySet<string> | string> {
    const { clock, queue, site } = this.#options;
    const end = clock.now() + SETTLE_MS;
    for (;;) {
      const found = new Set<string>();
      queue.invalidate();
      const listing = await queue.list();
      const trouble = await site.refresh(wanted.map(({ attempt }) => attempt));
      for (const { attempt, membership } of wanted) {
        const listed =
          this.#options.pilots.holds(membership) !== undefined ||
          (typeof listing !== "string" &&
            !membership.pilot &&
            listing.member(membership.name, membership.index) !== undefined);
        const { started } = readIncarnation(attempt, membership.generation, undefined);
        if (listed || started !== undefined) found.add(attempt);
      }
      if (found.size === wanted.length) return found;
      if (typeof listing === "string") return listing;
      if (trouble !== undefined) return trouble;
      if (clock.now() >= end) return found;
      await clock.sleep(SEARCH_MS);
    }
  }

  /** Puts attempts where pilots take them; the pilots start while the rest is still being put there. */
  async #enqueue(group: readonly Ready[], answers: Answers): Promise<void> {
    const { pilots } = this.#options;
    const [first] = group;
    if (first === undefined) return;
    const { group: title, resources, secrets } = first.job;
    const name = pilots.group(title, first.request, resources.timeMs, secrets);
    const taken: Ready[] = [];
    let refusal: Refusal | undefined;
    for (const piece of [group.slice(0, pilots.most), group.slice(pilots.most)]) {
      for (const ready of refusal === undefined ? piece : []) {
        if (this.#putInQueue(name, ready)) taken.push(ready);
        else answers.set(ready.job.key, await this.#again(ready));
      }
      const answer = await pilots.replenish([name]);
      if (answer?.type === "rejected") refusal = answer;
    }
    for (const { job, generation } of taken) {
      const { attempt } = job.paths;
      const membership = refusal === undefined ? undefined : readMembership(attempt);
      const isWithdrawn = membership !== undefined && pilots.drop(membership);
      if (isWithdrawn) discharge(attempt, generation);
      else answers.set(job.key, ok(attemptHandle(job.key, attempt)));
    }
    for (const { job } of refusal === undefined ? [] : group)
      if (!answers.has(job.key)) answers.set(job.key, failureOf(refusal as Refusal));
  }

  /** False when somebody has done so. */
  #putInQueue(name: string, { job, generation, spec }: Ready): boolean {
    const { pilots } = this.#options;
    const { attempt } = job.paths;
    const membership = { name, index: pilots.nextIndex(name), generation, pilot: true };
    if (!enlist(attempt, membership)) return false;
    writeFileSync(`${attempt}/spec.sh`, spec, { mode: 0o600 });
    pilots.enqueue(membership, attempt);
    return true;
  }

  async #handOver(group: readonly Ready[], answers: Answers): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    const name = newName();
    const taken: Ready[] = [];
    for (const ready of group) {
      const { attempt } = ready.job.paths;
      const { generation } = ready;
      if (enlist(attempt, { name, index: taken.length, generation, pilot: false }))
        taken.push(ready);
      else answers.set(ready.job.key, await this.#again(ready));
    }
    if (taken.length === 0) return;
    const refusal = await this.#run(name, first, taken);
    this.#options.queue.invalidate();
    for (const { job, generation } of taken) {
      const { attempt } = job.paths;
      if (refusal !== undefined && refusal.type !== "unclear") discharge(attempt, generation);
      answers.set(
        job.key,
        refusal === undefined ? ok(attemptHandle(job.key, attempt)) : failureOf(refusal),
      );
    }
  }

  /** Undefined when the submission was taken, perhaps found so by search. */
  async #run(name: string, first: Ready, taken: readonly Ready[]): Promise<Refusal | undefined> {
    const { scheduler, transport, folder, site } = this.#options;
    const directory = `${folder}/${name}`;
    if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
    const index: string[] = [];
    for (const { job, spec, generation } of taken) {
      writeFileSync(`${job.paths.attempt}/spec.sh`, spec, { mode: 0o600 });
      index.push(`${generation} ${site.placeOf(job.paths.attempt)}\n`);
    }
    writeFileSync(`${directory}/index`, index.join(""));
    const undelivered = await site.deliver(
      name,
      index.join(""),
      taken.map(({ job }) => job),
    );
    if (undelivered !== undefined) return undelivered;
    const { argv, input } = scheduler.submit({
      name,
      title: titleOf(taken),
      members: taken.length,
      request: first.request,
      restartable: first.job.restarts !== undefined,
      command: ["sh", `${site.scripts}/member.sh`, `${site.folder}/${name}`],
      log: `${site.folder}/${name}/log`,
    });
    const secrets = this.#options.secrets(first.job.secrets);
    const answer = scheduler.parseSubmitted(await transport.run(argv, input, secrets));
    if (answer.ok) {
      writeFileSync(`${directory}/job`, `${answer.value}\n`);
      return undefined;
    }
    if (answer.error.type !== "unclear") return answer.error;
    const { attempt } = first.job.paths;
    const membership = { name, index: 0, generation: first.generation, pilot: false };
    const found = await this.search([{ attempt, membership }]);
    return typeof found !== "string" && found.size > 0 ? undefined : answer.error;
  }

  #sizeLimit(): Promise<number> {
    const { scheduler, transport } = this.#options;
    const { argv, input } = scheduler.settings();
    this.#maxMembers ??= transport
      .run(argv, input)
      .then((result) => scheduler.parseSettings(result).maxMembers);
    return this.#maxMembers;
  }
}

/** Members of one submission ask for the same. */
const shapeOf = ({ job, request, pilot }: Ready): string =>
  JSON.stringify([job.group, request, job.restarts !== undefined, job.secrets, pilot]);

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** A submission key that no other submission of this user has, on whatever machine it was made. */
const newName = (): string => `flow-${randomBytes(10).toString("hex")}`;

function titleOf(taken: readonly Ready[]): string {
  const [first] = taken;
  const title = first?.job.task ?? "";
  return taken.length === 1 ? title : `${first?.job.group ?? title} (${taken.length} tasks)`;
}

const rejected = (message: string): Result<never, BackendFailure> =>
  err({ type: "rejected", message });

const unavailable = (message: string, retryAfterMs: number): Result<never, BackendFailure> =>
  err({ type: "unavailable", message, retryAfterMs });

function failureOf({ type, message }: Refusal): Result<never, BackendFailure> {
  if (type === "unfit") return rejected(message);
  if (type === "rejected") return rejected(`The scheduler refused the job: ${message}`);
  return unavailable(message, type === "busy" ? BUSY_RETRY_MS : AWAY_RETRY_MS);
}
