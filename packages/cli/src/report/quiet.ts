// Silence, unless something went wrong.

import { hostname } from "node:os";
import type { RunEvent } from "@flow/core";
import type { Output } from "../io.ts";
import type { FailureContext } from "./failure-block.ts";
import type { GitHub } from "./github.ts";
import { RunView } from "./run-view.ts";
import type { Screen } from "./screen.ts";
import { summary } from "./summary.ts";

/** `github`: what a job of GitHub Actions gets as well; absent elsewhere. */
type QuietOptions = FailureContext & { readonly github: GitHub | undefined };

export class QuietScreen implements Screen {
  readonly tickMs = 1000;
  readonly #output: Output;
  readonly #options: QuietOptions;
  readonly #view = new RunView(hostname());

  constructor(output: Output, options: QuietOptions) {
    this.#output = output;
    this.#options = options;
  }

  event(event: RunEvent): void {
    this.#view.apply(event);
    if (event.type !== "run/ended") return;
    const { github } = this.#options;
    if (event.exitCode !== 0) {
      const lines = summary(this.#view, this.#options);
      this.#output.write(`${(github?.wrap(lines) ?? lines).join("\n")}\n`);
    }
    github?.finish(this.#view);
  }

  tick(): void {}

  close(): void {}
}
