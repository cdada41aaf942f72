// The program of an external search, spoken to in JSON lines: flow writes `start`, `replay`, `ask` and
// `tell`, the program answers an `ask` with as many trials, one per line, or with `{"done": true}`.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { err, ok, type Result, type Search, type SearchResult, type SearchTrial } from "@flow/core";
import { readAnswer } from "@flow/core/reading";
import type { Io } from "../io.ts";

export interface Searcher {
  /** Trials, fewer than asked for when the program has no more; or why it gave none. */
  ask(count: number): Promise<Result<readonly SearchTrial[], string>>;
  tell(result: SearchResult): void;
  /** Ends it; resolves when it is gone. */
  close(): Promise<void>;
}

/** How long the program may take to end by itself. */
const PATIENCE_MS = 5000;

export function startSearcher(
  search: Search,
  history: {
    readonly trials: readonly SearchTrial[];
    readonly results: ReadonlyMap<string, SearchResult>;
  },
  root: string,
  io: Io,
): Searcher {
  const { command, folder, metric, direction, trials, seed, params } = search;
  const [program = "", ...args] = typeof command === "string" ? ["sh", "-c", command] : command;
  const child = spawn(program, args, {
    cwd: join(root, folder),
    env: { ...io.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stderr.on("data", (data: Buffer) => io.stderr.write(data));
  // What it does not read any more it need not be told.
  child.stdin.on("error", () => {});
  const gone = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("close", (code, signal) => resolve(`ended with ${signal ?? `code ${code ?? "?"}`}`));
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = (line: object): void => void child.stdin.write(`${JSON.stringify(line)}\n`);
  say({ start: { objective: { metric, direction }, trials, seed, params } });
  for (const one of history.trials) say({ replay: replayed(one, history.results.get(one.trial)) });
  const name = typeof command === "string" ? command : command.join(" ");
  let count = 0;
  return {
    ask: async (wanted) => {
      say({ ask: wanted });
      const found: SearchTrial[] = [];
      while (found.length < wanted) {
        const next = await lines.next();
        if (next.done === true) {
          return err(
            `the search \`${name}\` ${await gone} before it answered; its errors are above`,
          );
        }
        count += 1;
        const answer = readAnswer(next.value);
        if (answer === "done") break;
        if ("problem" in answer) {
          return err(
            `line ${count} of the search \`${name}\` is no trial: ${answer.problem}\n  ${next.value}\n  expected {"trial": 1, "params": {"lr": 0.1}} or {"done": true}`,
          );
        }
        found.push(answer);
      }
      return ok(found);
    },
    tell: say,
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}

const replayed = ({ trial, params }: SearchTrial, result: SearchResult | undefined): object => ({
  trial,
  params: Object.fromEntries(
    Object.entries(params).map(([name, text]) => [name, valueOfText(text)]),
  ),
  state: result?.state ?? "running",
  value: result?.value,
});

/** Numbers and booleans as such; the program gave them as that. */
function valueOfText(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}
