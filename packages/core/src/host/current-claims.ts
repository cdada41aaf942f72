// Who holds what in a project, for those that run nothing themselves.

import { Claims } from "../engine/claims.ts";
import { layout } from "../engine/layout.ts";
import { runId } from "../model/ids.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { nodeLocks } from "../ports/node/locks.ts";

/** Claims as they are now; asking takes none. */
export const currentClaims = (root: string): Claims =>
  new Claims(runId(""), layout(root), nodeFileSystem, nodeLocks);
