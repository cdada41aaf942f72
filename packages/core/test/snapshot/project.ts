// A project in a folder of its own, with or without git.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

export interface TestProject {
  readonly root: string;
  write(path: string, content: string | Uint8Array, mode?: number): void;
  link(path: string, text: string): void;
  remove(path: string): void;
  git(...args: string[]): string;
  commit(): string;
}

export function makeProject(options: { git: boolean }): TestProject {
  const root = mkdtempSync(join(tmpdir(), "flow-code-"));
  onTestFinished(() => {
    execFileSync("chmod", ["-R", "u+w", root]);
    rmSync(root, { recursive: true, force: true });
  });
  const git = (...args: string[]): string => {
    const identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    const allowed = ["-c", "protocol.file.allow=always"];
    return execFileSync("git", [...identity, ...allowed, ...args], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  };
  if (options.git) git("init", "-q", "-b", "main");
  return {
    root,
    write(path, content, mode) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      if (mode !== undefined) chmodSync(join(root, path), mode);
    },
    link(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      symlinkSync(text, join(root, path));
    },
    remove: (path) => rmSync(join(root, path), { recursive: true }),
    git,
    commit() {
      git("add", "-A");
      git("commit", "-q", "-m", "x");
      return git("rev-parse", "HEAD").trim();
    },
  };
}
