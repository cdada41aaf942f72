// What needs the libraries that read flow files and check what they say. The main entry does without
// them, so that whatever reads no file, or one that is known from last time, does not load them.

export { checkOptions, durationOption } from "./backend/check-options.ts";
export { jsonSchema } from "./flowfile/schema/file-schema.ts";
export { readAnswer, readSearchLog, searchLog } from "./flowfile/sweep/search-log.ts";
