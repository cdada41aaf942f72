// Reads the flow file and what it includes into documents of the right shape, and remembers
// everything that was read, so that a cached plan knows when it is stale.

import { createHash } from "node:crypto";
import { basename, dirname, join, relative, resolve } from "node:path/posix";
import type { DiagnosticCode } from "../diagnostics/codes.ts";
import type { Report } from "../diagnostics/report.ts";
import type { SourceFile } from "../diagnostics/source.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { Span } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { whyUnreadable } from "../ports/system-error.ts";
import type { MapNode } from "./document/node.ts";
import { child, describe, entriesOf, spanOf, textOf } from "./document/node.ts";
import { decode, readDocument } from "./document/read.ts";
import { flowFilesIn } from "./find.ts";
import { IDENTIFIER } from "./names.ts";
import { checkShape } from "./schema/check-shape.ts";

/** One flow file as read. */
export interface ReadFile {
  readonly map: MapNode;
  /** Absolute. */
  readonly file: string;
  /** `ns/`, or empty for the top file. */
  readonly namespace: string;
}

/** A file that was read or looked for; without digest when it was not there. */
export interface InputFile {
  readonly path: string;
  readonly digest: string | undefined;
}

/** Where the root is, and all files, the top one first. */
export interface ReadProject {
  readonly root: string;
  readonly files: readonly ReadFile[];
}

/**
 * Flow files by absolute path that were read without anything to say about them, for a further load of
 * the same project: reading YAML is most of what a load costs.
 */
export type KnownDocuments = Map<
  string,
  { readonly text: string; readonly index: number; readonly map: MapNode }
>;

/** Reads files for one load. */
export class FileReader {
  readonly sources: SourceFile[] = [];
  readonly inputs: InputFile[] = [];
  readonly #report: Report;
  readonly #fileSystem: FileSystem;
  readonly #known: KnownDocuments;
  #root: string;

  constructor(
    root: string,
    report: Report,
    fileSystem: FileSystem,
    known: KnownDocuments = new Map(),
  ) {
    this.#root = root;
    this.#known = known;
    this.#report = report;
    this.#fileSystem = fileSystem;
  }

  /** Notes a file that would have mattered had it been there. */
  noteAbsent(path: string): void {
    this.inputs.push({ path, digest: undefined });
  }

  /** Adds a source that is no file, such as a parameter of the command line; returns its index. */
  addText(path: string, text: string): number {
    return this.sources.push({ path, text }) - 1;
  }

  /** A file of flow's own that may not be there; noted as read or looked for. */
  optional(path: string): string | undefined {
    const bytes = this.#fileSystem.read(path);
    const digest =
      bytes === undefined ? undefined : createHash("sha256").update(bytes).digest("hex");
    this.inputs.push({ path, digest });
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** The top file and, depth first, what it includes. */
  readProject(file: string): ReadProject | undefined {
    const map = this.#flowFile(file, undefined, "no-flow-file");
    if (map === undefined) return undefined;
    const root = child(map, "root");
    if (root?.kind === "scalar") this.#root = resolve(dirname(file), root.text);
    const files: ReadFile[] = [{ map, file, namespace: "" }];
    this.#includes(map, file, "", [file], files);
    return { root: this.#root, files };
  }

  /** A text file with the index it has among the sources; undefined after it has said why not. */
  text(
    path: string,
    at: Span | undefined,
    code: DiagnosticCode,
    what: string,
  ): { readonly text: string; readonly index: number } | undefined {
    const shown = this.#shown(path);
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.#fileSystem.read(path);
    } catch (error) {
      this.noteAbsent(path);
      const why = whyUnreadable(error);
      this.#report.error(code, at, `the ${what} \`${shown}\` cannot be read: ${why}`);
      return undefined;
    }
    if (bytes === undefined) {
      this.noteAbsent(path);
      this.#report.error(code, at, `there is no ${what} \`${shown}\``, {
        fix: this.#whereLooked(path, code === "no-flow-file"),
      });
      return undefined;
    }
    this.inputs.push({ path, digest: createHash("sha256").update(bytes).digest("hex") });
    const text = decode(bytes, shown, this.#report);
    return text === undefined ? undefined : { text, index: this.addText(shown, text) };
  }

  #shown(path: string): string {
    const inside = relative(this.#root, path);
    return inside.startsWith("..") || inside === "" ? path : inside;
  }

  #whereLooked(path: string, isFlowFile: boolean): string {
    const flowFiles = flowFilesIn(dirname(path), this.#fileSystem).map((file) => basename(file));
    const near = didYouMean(basename(path), flowFiles);
    const there = isFlowFile && flowFiles.length > 0 ? ` There is: ${flowFiles.join(", ")}.` : "";
    return `Looked for ${path}.${near === undefined ? there : ` ${near}`}`;
  }

  #flowFile(file: string, at: Span | undefined, code: DiagnosticCode): MapNode | undefined {
    const what = code === "no-flow-file" ? "flow file" : "file to include";
    const read = this.text(file, at, code, what);
    if (read === undefined) return undefined;
    const { text, index } = read;
    const known = this.#known.get(file);
    if (known?.text === text && known.index === index) return known.map;
    const said = this.#report.diagnostics.length;
    const before = this.#report.errors;
    const node = readDocument(text, index, this.#report);
    if (node === undefined || (node.kind === "scalar" && node.value === null)) {
      if (this.#report.errors === before) {
        this.#report.error(
          "empty-file",
          { file: index, start: 0, end: 0 },
          `\`${this.#shown(file)}\` is empty`,
          {
            fix: "Write `tasks:` with at least one task.",
          },
        );
      }
      return undefined;
    }
    if (node.kind !== "map") {
      this.#report.error(
        "wrong-type",
        spanOf(node),
        `a flow file is a map of keys, found ${describe(node)}`,
        {
          fix: "Start with `tasks:` and indent the tasks under it.",
        },
      );
      return undefined;
    }
    checkShape(node, text, this.#report);
    if (this.#report.diagnostics.length === said) this.#known.set(file, { text, index, map: node });
    return node;
  }

  #includes(
    map: MapNode,
    file: string,
    namespace: string,
    via: readonly string[],
    files: ReadFile[],
  ): void {
    for (const [name, { key, value }] of entriesOf(child(map, "include"))) {
      if (!IDENTIFIER.test(name)) {
        this.#report.error("bad-name", spanOf(key), `\`${name}\` cannot be a namespace`, {
          fix: "Use letters, digits, `_` and `-`, starting with a letter.",
        });
        continue;
      }
      const text = textOf(value);
      const target = resolve(dirname(file), text);
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) {
        this.#report.error(
          "include-remote",
          spanOf(value),
          `\`${text}\` is not a file on this machine`,
          {
            fix: "Fetch it yourself and include the copy; flow does not load flow files over a network.",
          },
        );
      } else if (via.includes(target)) {
        const circle = [...via.slice(via.indexOf(target)), target].map((one) => this.#shown(one));
        this.#report.error(
          "include-cycle",
          spanOf(value),
          `a file cannot include itself: ${circle.join(" → ")}`,
        );
      } else {
        const included = this.#flowFile(target, spanOf(value), "include-unreadable");
        if (included === undefined) continue;
        const inner = `${namespace}${name}/`;
        files.push({ map: included, file: target, namespace: inner });
        this.#includes(included, target, inner, [...via, target], files);
      }
    }
  }
}

/** A folder relative to the root, empty when it is the root. */
export const folderIn = (root: string, file: string): string => relative(root, dirname(file));

/** A path relative to the root where it lies inside. */
export function pathIn(root: string, file: string): string {
  return relative(root, file) || join(root);
}
