// The little a host needs to find out that nothing is to do. The main entry exports the same and
// much more; loading that costs several times what this path takes.

export { layout } from "./engine/layout.ts";
export { findFlowFile } from "./flowfile/find.ts";
export { requestText } from "./host/plan-request.ts";
export { nodeFileSystem } from "./ports/node/file-system.ts";
export { cacheName } from "./trace/cache-name.ts";
export { checkEvidence } from "./trace/evidence.ts";
