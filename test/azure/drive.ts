/** The verbs of a backend for tests: what fails is thrown. */
import type { AttemptKey, Backend, Exit, Handle, Job, Observation } from "@flow/core";

/** Never aborted. */
export const signal: AbortSignal = new AbortController().signal;

/** Throws unless every job is taken. */
export async function submit(
  backend: Backend,
  jobs: readonly Job[],
): Promise<Map<AttemptKey, Handle>> {
  const answers = await backend.submit(jobs, signal);
  return new Map(
    jobs.map(({ key }) => {
      const answer = answers.get(key);
      if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
      return [key, answer.value];
    }),
  );
}

/** What is seen of one attempt. */
export async function look(
  backend: Backend,
  handles: ReadonlyMap<AttemptKey, Handle>,
  key: AttemptKey,
): Promise<Observation> {
  const answer = await backend.observe(handles, signal);
  if (!answer.ok) throw new Error(JSON.stringify(answer.error));
  return answer.value.get(key) ?? { type: "unknown", why: "not observed" };
}

/** How an attempt ended, however long that takes. */
export async function end(
  backend: Backend,
  handles: ReadonlyMap<AttemptKey, Handle>,
  key: AttemptKey,
): Promise<Exit> {
  for (;;) {
    const seen = await look(backend, handles, key);
    if (seen.type === "ended") return seen.exit;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
