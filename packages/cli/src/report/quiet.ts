// Silence, unless something went wrong.

import { hostname } from "node:os";
import type { RunEvent } from "@flow/core";
import type { Output } from "../io.ts";
import type { FailureContext } from "./failure-block.ts";
import { RunView } from "./run-view.ts";
import type { Screen } from "./screen.ts";
import { summary } from "./summary.ts";

export class QuietScreen implements Screen {
  readonly tickMs = 1000;
  readonly #output: Output;
  readonly #context: FailureContext;
  readonly #view = new RunView(hostname());

  constructor(output: Output, context: FailureContext) {
    this.#output = output;
    this.#context = context;
  }

  event(event: RunEvent): void {
    this.#view.apply(event);
    if (event.type === "run/ended" && event.exitCode !== 0) {
      this.#output.write(`${summary(this.#view, this.#context).join("\n")}\n`);
    }
  }

  tick(): void {}

  close(): void {}
}
