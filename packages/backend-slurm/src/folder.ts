// The backend's own folder in the state directory: submissions, node-side scripts, notes.

import type { BackendContext } from "@flow/core";

/** Absolute; it need not exist. */
export const folderOf = ({
  stateDirectory,
  name,
}: Pick<BackendContext<unknown>, "stateDirectory" | "name">): string =>
  `${stateDirectory}/backends/${name}`;
