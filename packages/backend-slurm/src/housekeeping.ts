// Takes away the folders of submissions that nobody needs any more. Results lie in the attempts' own
// directories, so a submission is needed only while one of its jobs may still start or be asked for.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import type { CleanedUp } from "@flow/core";
import type { Membership } from "./attempt/files.ts";
import type { Listing } from "./queue.ts";

const SUBMISSION = /^flow-[0-9a-f]{20}$/;

/** Which members of which submissions have been seen to end. */
export class Endings {
  readonly #indices = new Map<string, Set<number>>();

  add({ name, index }: Membership): void {
    const indices = this.#indices.get(name) ?? new Set();
    this.#indices.set(name, indices.add(index));
  }

  /** Submissions under `folder` of which every member has ended. */
  complete(folder: string): readonly string[] {
    return [...this.#indices].flatMap(([name, ended]) => {
      const members = membersOf(`${folder}/${name}`);
      return members.length > 0 && members.every((index) => ended.has(index)) ? [name] : [];
    });
  }
}

/** The members of a submission: the lines of its index, or what lies or lay in its queue. */
function membersOf(directory: string): readonly number[] {
  if (existsSync(`${directory}/queue`))
    return ["queue", "taken"].flatMap((each) =>
      readdirSync(`${directory}/${each}`).map((entry) => Number(/\d+/.exec(entry)?.[0])),
    );
  if (!existsSync(`${directory}/index`)) return [];
  const lines = readFileSync(`${directory}/index`, "utf8").trimEnd().split("\n");
  return lines.map((_, index) => index);
}

/**
 * Removes submissions that are over, unless their jobs had something to say that a person may look for.
 * What cannot be removed now is left to {@link removeIdle}.
 */
export function removeOver(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const log = statSync(`${folder}/${name}/log`, { throwIfNoEntry: false });
    if ((log?.size ?? 0) === 0) remove(`${folder}/${name}`);
  }
}

/** Whether {@link removeIdle} would find anything. */
export const hasSubmissions = (folder: string): boolean => submissionsIn(folder).length > 0;

/** Removes every submission without a living job; without any such job also the node-side scripts. */
export function removeIdle(folder: string, listing: Listing): CleanedUp {
  if (typeof listing === "string")
    return {
      removed: [],
      problems: [`${folder} stays: the scheduler does not answer: ${listing}`],
    };
  const names = submissionsIn(folder);
  const living = names.filter((name) => listing.living(name).length > 0);
  const idle = names.filter((name) => !living.includes(name));
  const scripts = living.length > 0 ? [] : readdirSync(folder).filter(isScripts);
  const troubles = [...idle, ...scripts].flatMap((name) => remove(`${folder}/${name}`) ?? []);
  const waiting = living.map((name) => `${folder}/${name} stays: its jobs have not ended`);
  return {
    removed: idle.length === 0 ? [] : [`records of ${counted(idle.length)}`],
    problems: [...waiting, ...troubles],
  };
}

const isScripts = (name: string): boolean => name.startsWith("scripts-");

const submissionsIn = (folder: string): readonly string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => SUBMISSION.test(name)) : [];

const counted = (count: number): string => (count === 1 ? "1 submission" : `${count} submissions`);

/** What cannot be removed, such as a folder in which a job that is just ending writes; undefined when all is gone. */
function remove(path: string): string | undefined {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    return undefined;
  } catch (error) {
    return `${path} stays: ${(error as Error).message}`;
  }
}
