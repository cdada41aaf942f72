// What counts as code: decides by path alone. `code.omit` comes first, then `code.include`, then
// .flowignore, then whether git tracks the file; what flow itself makes is never code.

import ignore, { type Ignore } from "ignore";
import { compileGlob, type Glob } from "../graph/glob.ts";

/** `code:` of the flow file, with the text of `.flowignore` and the paths of what tasks make. */
export interface CodeSelection {
  readonly include: readonly string[];
  readonly omit: readonly string[];
  /** Patterns as in a .gitignore; "" when there is no such file. */
  readonly flowignore: string;
  /** Targets, output directories and checkpoints, relative to the root; they hold for what lies below too. */
  readonly products: readonly string[];
}

/** Never code, tracked or not. */
const STATE = new Set([".git", ".flow"]);

/** Not code unless tracked: what tools leave behind, and what may hold secrets. */
const LEFTOVERS = new Set([
  ".venv",
  "venv",
  "node_modules",
  "__pycache__",
  ".ipynb_checkpoints",
  ".mypy_cache",
  ".ruff_cache",
  ".pytest_cache",
  "wandb",
  "mlruns",
  "logs",
  "outputs",
  ".env",
]);
const LEFTOVER_NAMES = /\.(pyc|pem|key)$|^\.env\.|^id_(rsa|dsa|ecdsa|ed25519)$/;

export class CodeRules {
  readonly selection: CodeSelection;
  readonly #omit: Ignore | undefined;
  readonly #flowignore: Ignore | undefined;
  readonly #include: readonly Glob[];
  readonly #products: ReadonlySet<string>;

  constructor(selection: CodeSelection) {
    this.selection = selection;
    const { omit, flowignore, include, products } = selection;
    this.#omit = omit.length === 0 ? undefined : ignore().add([...omit]);
    this.#flowignore = flowignore.trim() === "" ? undefined : ignore().add(flowignore);
    this.#include = include.map((pattern) => compileGlob(bare(pattern)));
    this.#products = new Set(products.map(bare));
  }

  /** Whether a file is code. `tracked`: git knows it. */
  selects(path: string, tracked: boolean): boolean {
    if (this.#isBarred(path)) return false;
    if (this.includes(path)) return true;
    if (this.#flowignore?.ignores(path) === true) return false;
    return tracked || !isLeftover(path);
  }

  /** Whether `code.include` names the file, or a directory it lies in, and nothing forbids it. */
  includes(path: string): boolean {
    return (
      this.#include.length > 0 &&
      !this.#isBarred(path) &&
      leading(path).some((part) => this.#include.some((glob) => glob.matches(part)))
    );
  }

  /** Whether `code.include` may name something in a directory. */
  mayInclude(directory: string): boolean {
    return (
      !this.#isBarred(directory) &&
      (this.#include.some((glob) => glob.reaches(directory)) || this.includes(directory))
    );
  }

  /** Whether nothing in a directory that git does not know can be code. */
  prunes(directory: string): boolean {
    return !this.selects(directory, false) && !this.mayInclude(directory);
  }

  #isBarred(path: string): boolean {
    return (
      path.split("/").some((name) => STATE.has(name)) ||
      (this.#products.size > 0 && leading(path).some((part) => this.#products.has(part))) ||
      this.#omit?.ignores(path) === true
    );
  }
}

const isLeftover = (path: string): boolean =>
  path.split("/").some((name) => LEFTOVERS.has(name) || LEFTOVER_NAMES.test(name));

/** A path's leading directories and itself. */
const leading = (path: string): readonly string[] => {
  const parts = path.split("/");
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
};

const bare = (path: string): string => path.replace(/^\.?\//, "").replace(/\/+$/, "");
