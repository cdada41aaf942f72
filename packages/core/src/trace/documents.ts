// Plain data in YAML or JSON, for files that are not flow files. The YAML library is loaded when it is needed.

/** The content of a file, as JSON where its name ends so. Throws what the parser throws. */
export async function parseDocument(path: string, text: string): Promise<unknown> {
  if (path.endsWith(".json")) return JSON.parse(text) as unknown;
  const { parseYaml } = await import("./parse-yaml.ts");
  return parseYaml(text);
}

/** Plain data as YAML for people, its lines never folded. */
export async function formatDocument(value: unknown): Promise<string> {
  const { formatYaml } = await import("./parse-yaml.ts");
  return formatYaml(value);
}
