/** A backend in one file: runs every command on this machine, with a lower priority. */
import { backend as local } from "@flow/backend-local";
import { type Backend, type BackendPlugin, defineBackend, err, type Job, ok } from "@flow/core";

interface NiceOptions {
  /** 0 to 19; 19 is the most patient. */
  readonly by: number;
}

export const backend: BackendPlugin<NiceOptions> = defineBackend({
  type: "nice",
  parseOptions(input) {
    const { by = 10 } = (input ?? {}) as { readonly by?: unknown };
    if (typeof by === "number" && Number.isInteger(by) && by >= 0 && by <= 19) return ok({ by });
    return err([{ path: ["by"], message: "must be a whole number from 0 to 19" }]);
  },
  parseTaskOptions: ok,
  async open(context) {
    const options = local.parseOptions({});
    if (!options.ok) return err("the local backend refuses its defaults");
    const opened = await local.open({ ...context, options: options.value });
    return opened.ok ? ok(new NiceBackend(opened.value, context.options.by)) : opened;
  },
});

class NiceBackend implements Backend {
  readonly name: Backend["name"];
  readonly capabilities: Backend["capabilities"];
  readonly #inner: Backend;
  readonly #by: number;

  constructor(inner: Backend, by: number) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#by = by;
  }

  limits: Backend["limits"] = () => this.#inner.limits();

  submit: Backend["submit"] = (jobs, signal) =>
    this.#inner.submit(
      jobs.map((job) => this.#nicely(job)),
      signal,
    );

  observe: Backend["observe"] = (handles, signal) => this.#inner.observe(handles, signal);

  cancel: Backend["cancel"] = (handle, how, reason, signal) =>
    this.#inner.cancel(handle, how, reason, signal);

  reattach: Backend["reattach"] = (attempts, signal) => this.#inner.reattach(attempts, signal);

  logs: Backend["logs"] = (handle, stream, fromByte, signal) =>
    this.#inner.logs(handle, stream, fromByte, signal);

  collect: Backend["collect"] = (handle, patterns, signal) =>
    this.#inner.collect(handle, patterns, signal);

  onChange: NonNullable<Backend["onChange"]> = (listener) =>
    this.#inner.onChange?.(listener) ?? (() => {});

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  #nicely(job: Job): Job {
    // By way of a shell, because a bare program may be started by a shared shell, and that one does
    // not tell of processes that were left behind.
    const nice = ["sh", "-c", 'exec nice -n "$0" "$@"', String(this.#by)];
    const actions = job.actions.map((action) => ({ ...action, argv: [...nice, ...action.argv] }));
    return { ...job, actions };
  }
}
