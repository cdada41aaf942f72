// A cluster that does not see the project. Everything there lies in one folder of the project's own:
//
//   files/DIGEST     contents of code and inputs, read-only, each sent once
//   trees/ID/        names for them; jobs that need the same share one
//   work/PLACE/      the project as one attempt sees it: hard links to a tree, and what it makes
//   attempts/PLACE/  the attempt's directory; what is written there is copied here while it runs
//   kept/NAME/       checkpoint and output directory of a task, over attempts
//   submissions/     the index and the log of each
//
// The copy here is what the rest of the backend reads, so it needs not know.

import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { type Job, type ObjectStore, SnapshotError, type TreeId } from "@flow/core";
import { FENCE_LINE, fence, incarnationName } from "../attempt/files.ts";
import type { Refusal } from "../schedulers/scheduler.ts";
import { runHere } from "../transport/exec.ts";
import { quote } from "../transport/remote-shell.ts";
import { type CommandResult, complaint, type Transport } from "../transport/transport.ts";
import {
  bytes,
  Cargo,
  type Digests,
  filesAt,
  type Item,
  largeFile,
  listingOf,
  nameOf,
  tarOfItems,
  treeItems,
} from "./cargo.ts";
import {
  deliverScript,
  dropScript,
  fenceScript,
  LIST_WRITTEN,
  MISSING,
  packScript,
  READ_PARTS,
  storeScript,
  tellScript,
} from "./remote-scripts.ts";
import { type Luggage, luggageOf, takeOver } from "./luggage.ts";
import type { Site } from "./site.ts";
import { translateJob, translator } from "./translate.ts";

/** The most of one file that is copied at a time. */
const PART_BYTES = 4 << 20;

/** Files of an attempt that are copied while it runs; the rest of its directory stays there. */
const FOLLOWED = /^(stdout|stderr|events\.\d+\.jsonl|usage\.jsonl|\d+\.\d+\/[\w.]+)$/;

export interface RemoteSiteOptions {
  readonly transport: Transport;
  /** The project's folder there, absolute. */
  readonly base: string;
  /** The project's root and its `.flow/` here. */
  readonly root: string;
  readonly state: string;
  /** Where submissions and scripts lie here. */
  readonly folder: string;
  readonly scripts: string;
  /** Absent: nothing is submitted. */
  readonly captureCode: (() => Promise<TreeId>) | undefined;
}

export class RemoteSite implements Site {
  readonly isShared = false;
  readonly folder: string;
  readonly scripts: string;
  readonly #options: RemoteSiteOptions;
  readonly #digests: Digests = new Map();
  #refreshing: Promise<string | undefined> | undefined;

  constructor(options: RemoteSiteOptions) {
    this.#options = options;
    this.folder = `${options.base}/submissions`;
    this.scripts = `${options.base}/trees/${basename(options.scripts)}`;
  }

  translate(job: Job): Job {
    const { base } = this.#options;
    const { root, attempt, checkpoint, output } = job.paths;
    const place = this.#place(attempt);
    const kept = (path: string) => `${base}/kept/${nameOf(root, path)}`;
    return translateJob(
      job,
      translator({
        [root]: `${base}/work/${place}`,
        [attempt]: `${base}/attempts/${place}`,
        [output]: kept(output),
        [checkpoint]: kept(checkpoint),
      }),
    );
  }

  placeOf(attempt: string): string {
    return `${this.#options.base}/attempts/${this.#place(attempt)}`;
  }

  #place(attempt: string): string {
    return nameOf(this.#options.state, attempt);
  }

  async deliver(
    submission: string,
    index: string,
    jobs: readonly Job[],
  ): Promise<Refusal | undefined> {
    try {
      await this.#deliver(submission, index, jobs);
      return undefined;
    } catch (error) {
      const { message } = error as Error;
      return error instanceof SnapshotError
        ? { type: "unfit", message: `It cannot be sent to the cluster: ${message}.` }
        : { type: "away", message: `its files cannot be sent: ${message}` };
    }
  }

  async #deliver(submission: string, index: string, jobs: readonly Job[]): Promise<void> {
    const { scripts, state, captureCode } = this.#options;
    const store: ObjectStore = { objects: `${state}/objects`, trees: `${state}/trees` };
    const code = await captureCode?.();
    const cargo = new Cargo(this.#digests);
    await cargo.folder(basename(scripts), scripts);
    const trees = new Map<string, string>();
    for (const job of jobs) trees.set(job.key, (await cargo.treeOf(job, code, store)).id);
    const missing = await this.#missing([
      ...[...cargo.contents.keys()].map((name) => `files/${name}`),
      ...[...cargo.trees.keys()].map((id) => `trees/${id}`),
    ]);
    const contents = [...cargo.contents].filter(([name]) => missing.has(`files/${name}`));
    const files = contents.map(([path, content]) => ({ path, content }));
    const draft = newDraft();
    if (files.length > 0) await this.#send(storeScript(draft), files);
    const fresh = [...cargo.trees.values()].filter(({ id }) => missing.has(`trees/${id}`));
    const kept = new Map(jobs.flatMap((job) => [...this.#keptToSend(job)]));
    await this.#send(deliverScript(draft, submission), [
      ...fresh.flatMap((tree) => treeItems(tree, `${draft}/trees/${tree.id}`)),
      ...[...kept].flatMap(([name, path]) => folderItems(`${draft}/kept/${name}`, path)),
      ...jobs.flatMap((job) => [
        ...this.#jobItems(job, `${draft}/jobs/${this.#place(job.paths.attempt)}`),
      ]),
      list(
        `${draft}/trees.list`,
        fresh.map(({ id }) => id),
      ),
      list(`${draft}/kept.list`, [...kept.keys()]),
      list(
        `${draft}/jobs.list`,
        jobs.map(({ key, paths }) => `${this.#place(paths.attempt)} ${trees.get(key)}`),
      ),
      { path: `${draft}/index`, content: bytes(index) },
    ]);
    for (const [name, path] of kept) this.#noteKept(name, path);
  }

  /** Directories kept over attempts that are not there as they are here. */
  *#keptToSend(job: Job): Iterable<[string, string]> {
    for (const [name, path] of Object.entries(luggageOf(job).kept)) {
      if (readText(this.#keptNote(name)) !== listingOf(path)) yield [name, path];
    }
  }

  #noteKept(name: string, path: string): void {
    const note = this.#keptNote(name);
    mkdirSync(dirname(note), { recursive: true });
    writeFileSync(note, listingOf(path));
  }

  #keptNote(name: string): string {
    return `${this.#options.folder}/kept/${name}`;
  }

  *#jobItems(job: Job, under: string): Iterable<Item> {
    const { attempt, root } = job.paths;
    for (const name of ["spec.sh", "params.json", "inputs.json"]) {
      if (existsSync(`${attempt}/${name}`))
        yield { path: `${under}/attempt/${name}`, content: largeFile(`${attempt}/${name}`) };
    }
    const luggage = luggageOf(job);
    writeFileSync(`${attempt}/luggage.json`, JSON.stringify(luggage));
    const folders = new Set([job.cwd.slice(root.length + 1)]);
    for (const path of luggage.made) {
      const stat = statSync(`${root}/${path}`, { throwIfNoEntry: false });
      folders.add(stat?.isDirectory() === true ? path : dirname(path));
      if (stat?.isFile() === true)
        yield { path: `${under}/work/${path}`, content: largeFile(`${root}/${path}`) };
      if (stat?.isDirectory() === true)
        yield* folderItems(`${under}/work/${path}`, `${root}/${path}`);
    }
    folders.delete("");
    yield list(`${under}/folders`, [...folders]);
  }

  async #missing(names: readonly string[]): Promise<ReadonlySet<string>> {
    const { stdout } = await this.#run(MISSING, names.map((name) => `${name}\n`).join(""));
    return new Set(stdout.split("\n"));
  }

  async #send(script: string, items: Iterable<Item>): Promise<void> {
    const result = await this.#pipe(script, tarOfItems(items), () => {});
    if (result.code !== 0) throw new Error(complaint({ ...result, stdout: "" }));
  }

  async #run(script: string, input: string): Promise<{ readonly stdout: string }> {
    const result = await this.#try(script, input);
    if (result.code !== 0) throw new Error(complaint(result));
    return result;
  }

  #try(script: string, input: string = ""): Promise<CommandResult> {
    return this.#options.transport.run(["sh", "-c", this.#inBase(script)], input);
  }

  #pipe(...[script, input, output]: Parameters<Transport["pipe"]>): ReturnType<Transport["pipe"]> {
    return this.#options.transport.pipe(this.#inBase(script), input, output);
  }

  #inBase(script: string): string {
    return `cd ${quote(this.#options.base)} || exit 255\n${script}`;
  }

  refresh(attempts: readonly string[]): Promise<string | undefined> {
    this.#refreshing ??= this.#refresh(attempts).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(attempts: readonly string[]): Promise<string | undefined> {
    const places = new Map(attempts.map((attempt) => [this.#place(attempt), attempt]));
    try {
      const { stdout } = await this.#run(LIST_WRITTEN, "");
      const grown = stdout.split("\n").flatMap((line) => this.#grown(line, places));
      if (grown.length > 0) await this.#fetchParts(grown);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** A file there of which more is known than here. */
  #grown(line: string, places: ReadonlyMap<string, string>): readonly Part[] {
    const [, size, time, path = ""] = /^(\d+) ([\d.]+) (.+)$/.exec(line) ?? [];
    const here = this.#copyOf(path, places);
    if (here === undefined) return [];
    const length = statSync(here, { throwIfNoEntry: false })?.size;
    const offset = length ?? 0;
    const count = Math.min(PART_BYTES, Number(size) - offset);
    if (count < 0 || (count === 0 && length !== undefined)) return [];
    return [{ path, here, offset, count, seconds: Number(time) }];
  }

  #copyOf(path: string, places: ReadonlyMap<string, string>): string | undefined {
    const [, kind, name = "", rest = ""] =
      /^(attempts|submissions)\/([^/]+)\/(.+)$/.exec(path) ?? [];
    if (kind === "submissions") return `${this.#options.folder}/${name}/${rest}`;
    const attempt = places.get(name);
    return attempt === undefined || !FOLLOWED.test(rest) ? undefined : `${attempt}/${rest}`;
  }

  async #fetchParts(parts: readonly Part[]): Promise<void> {
    const lines = parts.map(({ offset, count, path }) => `${offset} ${count} ${path}\n`);
    const chunks: Buffer[] = [];
    const result = await this.#pipe(READ_PARTS, [Buffer.from(lines.join(""))], (chunk) => {
      chunks.push(chunk);
    });
    if (result.code !== 0) throw new Error(complaint({ ...result, stdout: "" }));
    const data = Buffer.concat(chunks);
    if (data.length !== parts.reduce((sum, { count }) => sum + count, 0))
      throw new Error("files changed in a way that files of an attempt never do");
    let at = 0;
    for (const { here, count, seconds } of parts) {
      mkdirSync(dirname(here), { recursive: true });
      appendFileSync(here, data.subarray(at, at + count));
      utimesSync(here, seconds, seconds);
      at += count;
    }
  }

  async fence(attempt: string, generation: number, restart: number): Promise<boolean | undefined> {
    const incarnation = incarnationName(generation, restart);
    const script = fenceScript(this.#place(attempt), incarnation, FENCE_LINE);
    const { code } = await this.#try(script);
    if (code === 0) return fence(attempt, generation, restart);
    if (code !== 1) return undefined;
    await this.refresh([attempt]);
    return false;
  }

  async tell(attempt: string): Promise<void> {
    const stop = readText(`${attempt}/stop`);
    if (stop === undefined) return;
    await this.#try(tellScript(this.#place(attempt), stop, existsSync(`${attempt}/kill`)));
  }

  async bringHome(attempt: string, succeeded: boolean): Promise<string | undefined> {
    const note = readText(`${attempt}/luggage.json`);
    if (note === undefined || existsSync(`${attempt}/home`)) return undefined;
    const luggage = JSON.parse(note) as Luggage;
    const place = this.#place(attempt);
    try {
      await this.#unpack(place, luggage);
      writeFileSync(`${attempt}/home`, "");
      await this.#try(dropScript(place, succeeded ? Object.keys(luggage.kept) : []));
      return undefined;
    } catch (error) {
      return `what it made cannot be brought here: ${(error as Error).message}`;
    }
  }

  async #unpack(place: string, { made, kept }: Luggage): Promise<void> {
    const { root, folder } = this.#options;
    const inbox = `${folder}/inbox/${place}`;
    rmSync(inbox, { recursive: true, force: true });
    mkdirSync(inbox, { recursive: true });
    try {
      const file = openSync(`${inbox}/tar`, "w", 0o600);
      const script = packScript(newDraft(), place, made, Object.keys(kept));
      const result = await this.#pipe(script, [], (chunk) => {
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      });
      closeSync(file);
      if (result.code !== 0) throw new Error(complaint({ ...result, stdout: "" }));
      const here = { cwd: inbox, env: process.env };
      const unpacked = await runHere(["tar", "-xf", "tar"], "", here);
      if (unpacked.code !== 0) throw new Error(complaint(unpacked));
      for (const path of made) takeOver(`${inbox}/work/${path}`, `${root}/${path}`);
      for (const [name, path] of Object.entries(kept)) {
        takeOver(`${inbox}/kept/${name}`, path);
        this.#noteKept(name, path);
      }
    } finally {
      rmSync(inbox, { recursive: true, force: true });
    }
  }
}

interface Part {
  readonly path: string;
  readonly here: string;
  readonly offset: number;
  readonly count: number;
  readonly seconds: number;
}

const folderItems = (under: string, directory: string): readonly Item[] =>
  filesAt(directory, "").map((path) => ({
    path: `${under}/${path}`,
    content: largeFile(`${directory}/${path}`),
  }));

const list = (path: string, lines: readonly string[]): Item => ({
  path,
  content: bytes(lines.map((line) => `${line}\n`).join("")),
});

const newDraft = (): string => `draft-${randomBytes(6).toString("hex")}`;

const readText = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, "utf8") : undefined;
