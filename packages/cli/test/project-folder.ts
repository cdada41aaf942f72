// A project in a folder of its own, and the command line in it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { commandLine } from "../src/command-line.ts";
import { type FakeIo, type FakeIoOptions, fakeIo } from "./fake-io.ts";

export interface ProjectFolder {
  readonly path: string;
  /** Runs a command line in it. */
  flow(...args: readonly string[]): Promise<{
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }>;
  /** Starts a command line in it; signals can be sent to the Io, and its output be looked at. */
  start(...args: readonly string[]): { readonly io: FakeIo; readonly code: Promise<number> };
  write(path: string, text: string): void;
}

/** Makes a folder with these files; it goes away when the test has finished. */
export function projectFolder(
  files: Readonly<Record<string, string>>,
  options: Omit<FakeIoOptions, "cwd"> = {},
): ProjectFolder {
  const path = mkdtempSync(join(tmpdir(), "flow-cli-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const start = (...args: readonly string[]) => {
    const env = { PATH: process.env["PATH"] ?? "", ...options.env };
    const io = fakeIo({ ...options, env, cwd: path });
    return { io, code: commandLine(args, io) };
  };
  return {
    path,
    write,
    start,
    flow: async (...args) => {
      const { io, code } = start(...args);
      return { code: await code, stdout: io.stdout.text, stderr: io.stderr.text };
    },
  };
}

/** A matrix between two single tasks, one edge of order only, one hidden task. */
export const SMALL = `version: 1
params: { words: 3 }
tasks:
  prep:
    desc: Make the data
    tags: [data]
    targets: [data.txt]
    actions: ["echo \${{ params.words }} > \${{ target }}"]
  train:
    desc: Train with \${{ matrix.lr }}
    matrix: { lr: [0.1, 1e-3] }
    deps: [data.txt]
    targets: ["model-\${{ matrix.lr }}.txt"]
    actions:
      - [cp, data.txt, "\${{ target }}"]
    resources: { cpus: 2, mem: 1GB }
  report:
    deps: { models: { task: train } }
    after: [tidy]
    targets: [report.txt]
    actions: ["cat \${{ deps.models }} > \${{ target }}"]
  tidy:
    hidden: true
    actions: ["true"]
`;
