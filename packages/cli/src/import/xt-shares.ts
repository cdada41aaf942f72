// The shares of an XT configuration, which are containers of its storage account: data and models.

import { asMap, asText, type Fields, nameFrom } from "./imported.ts";

/** A share as a mount. */
export interface Share {
  /** Of the mount. */
  readonly name: string;
  readonly container: string;
  /** The folder that stands for it on this machine. */
  readonly local: string;
  /** Lines of shell that set XT's variables for it. */
  readonly exports: string;
  /** Folder of the project → place on the mount; absent: nothing is sent. */
  readonly upload: readonly [string, string] | undefined;
}

const KINDS = [
  { section: "data", container: "00-share-data", variable: "XT_DATA" },
  { section: "model", container: "00-share-models", variable: "XT_MODEL" },
] as const;

/** Those that a run has; what cannot be is said. */
export function shares(document: Fields, notes: string[]): readonly Share[] {
  return KINDS.flatMap(({ section, container, variable }) => {
    const settings = asMap(document[section]);
    if (Object.keys(settings).length === 0) return [];
    const action = asText(settings[`${section}-action`]) ?? "none";
    const path = asText(settings[`${section}-share-path`]);
    if (action === "none" || path === undefined) {
      notes.push(
        `\`${section}\` is left out: without an action and a share path a run has none of it.`,
      );
      return [];
    }
    if (action === "download") notes.push(`\`${section}\` is mounted and not downloaded.`);
    const name = nameFrom(section, "data");
    const given = asText(settings[`${section}-local`])?.replace(/^\$scriptdir\//, "");
    const local = given ?? section;
    const dir = `$FLOW_MOUNT_${section.toUpperCase()}/${path}`;
    const upload = settings[`${section}-upload`] === true;
    const isInside = !/^[$/~]|(^|\/)\.\.(\/|$)/.test(local);
    if (upload && !isInside) notes.push(`\`${local}\` is not uploaded: it is not in the project.`);
    return [
      {
        name,
        container,
        local: /^[./$~]/.test(local) ? local : `./${local}`,
        exports: `export ${variable}_DIR="${dir}" ${variable}_MNT="${dir}"\n`,
        upload: upload && isInside ? ([`${local}/${path}`, `${name}/${path}`] as const) : undefined,
      },
    ];
  });
}
