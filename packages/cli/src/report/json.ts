// The run's events as JSON lines, for other programs. Fields are only ever added; a reader ignores
// those it does not know. Secrets are masked here too.

import type { RunEvent } from "@flow/core";
import type { Mask } from "./mask.ts";
import type { Screen } from "./screen.ts";

/** Raised when a field changes its meaning. */
export const JSON_VERSION = 1;

export class JsonScreen implements Screen {
  readonly tickMs = 1000;
  readonly #write: (line: string) => void;
  readonly #mask: Mask;
  #run = "";

  constructor(write: (line: string) => void, mask: Mask) {
    this.#write = write;
    this.#mask = mask;
  }

  event(event: RunEvent): void {
    if (event.type === "run/started") this.#run = event.run;
    this.#write(jsonLine(event, this.#run, this.#mask));
  }

  tick(): void {}

  close(): void {}
}

/** One event as a line, newline included; only ASCII, so that no terminal can be driven by it. */
export function jsonLine(event: RunEvent, run: string, mask: Mask): string {
  const { seq, wall, elapsedMs, type, ...rest } = event;
  const t = new Date(wall).toISOString();
  const line = { v: JSON_VERSION, seq, t, elapsedMs, run, type, ...rest };
  const text = JSON.stringify(line, (_key, value: unknown) =>
    typeof value === "string" ? mask(value) : value,
  );
  return `${text.replaceAll(/[\u007f-\uffff]/g, escaped)}\n`;
}

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
