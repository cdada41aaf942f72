// Names of files in `.flow/cache/`.

import { hash } from "node:crypto";

/** File name (without directory) under which the answer to a request is kept. */
export const cacheName = (kind: "plan" | "fresh", request: string): string =>
  `${kind}-${hash("sha256", request, "hex").slice(0, 16)}${kind === "plan" ? ".json" : ""}`;
