// What a person asks for, as values, and the text that stands for it.

import type { BackendChecks } from "../flowfile/load.ts";
import type { GivenParam } from "../flowfile/overrides.ts";
import type { PlanOptions } from "../graph/plan.ts";

/** What names a project and its parameters. */
export interface ProjectRequest {
  /** Where the person stands; absolute. */
  readonly directory: string;
  /** Absolute; absent: looked for. */
  readonly file: string | undefined;
  readonly params: readonly GivenParam[];
  /** Absolute; absent: none. */
  readonly paramsFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Loads the plug-ins of these types and packages, for a flow file at this path, to check the parts
   * that are a backend's own. Absent: those parts are not checked.
   */
  readonly loadChecks?:
    | ((uses: readonly string[], file: string) => Promise<BackendChecks>)
    | undefined;
}

export interface PlanRequest extends ProjectRequest {
  readonly selectors: readonly string[];
  /** Leave out what the selected tasks depend on. */
  readonly only: boolean;
  readonly options: PlanOptions;
  /** flow's version; a plan made by another one is made anew. */
  readonly version: string;
}

/** Everything asked, as one text: the key of what is cached for it. */
export function requestText(request: PlanRequest): string {
  const { directory, file, params, paramsFile, selectors, only, options, version } = request;
  // Selectors may be paths, which start where the person stands.
  const where = file === undefined || selectors.length > 0 ? directory : "";
  const { backend } = options;
  return JSON.stringify([1, version, where, file, params, paramsFile, selectors, only, backend]);
}

/** Where the person stands, relative to the root; "" when that is elsewhere. */
export const standingIn = (root: string, directory: string): string =>
  directory.startsWith(`${root}/`) ? directory.slice(root.length + 1) : "";
