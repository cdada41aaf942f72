/** A backend in one file: this machine without its GPUs, and with only some of its cpus. */
import { backend as local } from "@flow/backend-local";
import { type Backend, type BackendPlugin, defineBackend, err, ok } from "@flow/core";

interface CpuOptions {
  readonly cpus: number;
}

export const backend: BackendPlugin<CpuOptions> = defineBackend({
  type: "cpu",
  parseOptions(input) {
    const { cpus = 1 } = (input ?? {}) as { readonly cpus?: unknown };
    if (typeof cpus === "number" && cpus > 0) return ok({ cpus });
    return err([{ path: ["cpus"], message: "must be a number above 0" }]);
  },
  parseTaskOptions: ok,
  refuse: (task) => local.refuse?.(task),
  async open(context) {
    const options = local.parseOptions({});
    if (!options.ok) return err("the local backend refuses its defaults");
    const opened = await local.open({ ...context, options: options.value });
    return opened.ok ? ok(new CpuBackend(opened.value, context.options.cpus)) : opened;
  },
});

class CpuBackend implements Backend {
  readonly name: Backend["name"];
  readonly capabilities: Backend["capabilities"];
  readonly #inner: Backend;
  readonly #cpus: number;

  constructor(inner: Backend, cpus: number) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#cpus = cpus;
  }

  limits: Backend["limits"] = () => ({ ...this.#inner.limits(), cpusMilli: this.#cpus * 1000 });

  submit: Backend["submit"] = (jobs, signal) => {
    const blind = jobs.map((job) => ({ ...job, env: { ...job.env, CUDA_VISIBLE_DEVICES: "" } }));
    return this.#inner.submit(blind, signal);
  };

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
}
