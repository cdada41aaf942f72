// An XT configuration as a flow file: its compute targets as backends, its names and what it leaves out of the code. XT takes
// the program on the command line, so the file has one task for it.

import {
  asMap,
  asNumber,
  asText,
  compact,
  type Fields,
  type Imported,
  nameFrom,
} from "./imported.ts";

const SECTIONS = [
  "compute-targets",
  "external-services",
  "xt-services",
  "general",
  "code",
  "setups",
];

export const isXt = (document: Fields): boolean => SECTIONS.some((each) => each in document);

export function importXt(document: Fields, folder: string): Imported {
  const notes: string[] = [];
  const [general, code] = [asMap(document["general"]), asMap(document["code"])];
  const backends = new Map<string, Fields>();
  for (const [name, target] of Object.entries(asMap(document["compute-targets"]))) {
    const backend = backendOf(name, asMap(target), document, notes);
    if (backend !== undefined) backends.set(nameFrom(name, "target"), backend);
  }
  const chosen = nameFrom(asText(asMap(document["xt-services"])["target"]) ?? "", "");
  if (asText(code["code-dirs"]) !== undefined || Array.isArray(code["code-dirs"]))
    notes.push(
      "`code-dirs` is left out: flow takes the project's own files; add others to `code.include`.",
    );
  const left = Object.keys(document).filter((each) => !SECTIONS.includes(each));
  if (left.length > 0) notes.push(`Sections left out: ${left.join(", ")}.`);
  const file = compact({
    version: 1,
    name: nameFrom(folder, "xt"),
    workspace: asText(general["workspace"]),
    experiment: asText(general["experiment"]),
    compat: ["xt"],
    params: { script: { type: "string", default: "main.py", help: "what `xt run` was given" } },
    backends: Object.fromEntries(backends),
    defaults: backends.has(chosen) ? { backend: chosen } : undefined,
    code: compact({ omit: textsOf(code["code-omit"]) }),
    tasks: {
      run: {
        desc: "What `xt run SCRIPT` ran: flow run -p script=SCRIPT",
        requeue: "always",
        actions: [["python3", "${{ params.script }}"]],
      },
    },
  });
  return { file, notes };
}

const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((each) => asText(each) ?? []);

/** Undefined, with a note: flow has no such backend. */
function backendOf(
  name: string,
  target: Fields,
  document: Fields,
  notes: string[],
): Fields | undefined {
  const service = asText(target["service"]) ?? "";
  const services = asMap(document["external-services"]);
  const known = asMap(services[service]);
  const type = asText(known["type"]) ?? service;
  const boxes = textsOf(target["boxes"]);
  if (type === "pool" || type === "local") {
    const others = boxes.filter((each) => each !== "localhost" && each !== "local");
    if (others.length > 0)
      notes.push(
        `The boxes ${others.join(", ")} of \`${name}\` are left out: it runs on this machine.`,
      );
    return { type: "local" };
  }
  if (type !== "batch") {
    notes.push(`The compute target \`${name}\` is left out: flow has no backend for \`${type}\`.`);
    return undefined;
  }
  const account = storageOf(document, services);
  if (account === undefined)
    notes.push(`Put the storage account into the backend \`${name}\`, for mystorage.`);
  const setup = asMap(asMap(document["setups"])[asText(target["setup"]) ?? ""]);
  const packages = textsOf(setup["pip-packages"]);
  const activate = asText(setup["activate"]);
  if (activate !== undefined)
    notes.push(
      `\`${activate}\` of \`${name}\` is left out: its nodes run what \`start\` installs.`,
    );
  const own = packages.filter((each) => !each.startsWith("xtlib"));
  const docker = asText(target["docker"]);
  if (docker !== undefined && docker !== "none")
    notes.push(
      `\`docker: ${docker}\` of \`${name}\` is left out: give the task its image as \`container\`.`,
    );
  if (asText(target["azure-image"]) !== undefined)
    notes.push(`The image of \`${name}\` is left out: flow takes the newest verified Ubuntu.`);
  return compact({
    type: "azure-batch",
    endpoint: (asText(known["url"]) ?? `https://${service}.REGION.batch.azure.com`).replace(
      /["/]+$/,
      "",
    ),
    storage: { account: account ?? "mystorage" },
    vm_size: asText(target["vm-size"])?.toLowerCase() ?? "standard_d2s_v3",
    nodes: asNumber(target["nodes"]),
    priority: target["low-pri"] === true ? "low" : undefined,
    start: own.length === 0 ? undefined : `python3 -m pip install ${own.map(quote).join(" ")}`,
  });
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** The storage that XT uses, or the only kind there is. */
function storageOf(document: Fields, services: Fields): string | undefined {
  const named = asText(asMap(document["xt-services"])["storage"]);
  return (
    named ??
    Object.keys(services).find((each) => asText(asMap(services[each])["type"]) === "storage")
  );
}
