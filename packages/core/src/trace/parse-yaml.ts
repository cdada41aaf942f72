// The YAML library behind two names, so that it can be loaded when it is needed. A CommonJS package that
// is imported dynamically loses its named exports in a bundle; one imported statically here does not.

import { parse, stringify } from "yaml";

/** The document as plain data. Throws what the parser throws. */
export const parseYaml = (text: string): unknown => parse(text, { maxAliasCount: 100 }) as unknown;

export const formatYaml = (value: unknown): string => stringify(value, { lineWidth: 0 });
