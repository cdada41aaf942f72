// The compute targets of an XT configuration as backends, with the services, images and packages that they name.

import { asMap, asNumber, asText, compact, type Fields, textsOf } from "./imported.ts";

/** What became of a compute target. */
export interface Target {
  readonly backend: Fields;
  /** The image in which its tasks run; absent: none. */
  readonly container?: string | undefined;
  /** What else of the file it took, as `section.name`. */
  readonly uses: ReadonlySet<string>;
}

/** Undefined, with a note: flow has no such backend. */
export function targetOf(
  name: string,
  target: Fields,
  document: Fields,
  notes: string[],
): Target | undefined {
  const service = asText(target["service"]) ?? "";
  const known = asMap(asMap(document["external-services"])[service]);
  const type = asText(known["type"]) ?? service;
  if (type === "pool" || type === "local") return onThisMachine(name, target, document, notes);
  if (type === "batch") return onBatch(name, target, document, notes);
  notes.push(`The compute target \`${name}\` is left out: flow has no backend for \`${type}\`.`);
  return undefined;
}

function onThisMachine(name: string, target: Fields, document: Fields, notes: string[]): Target {
  const others = textsOf(target["boxes"]).filter((each) => !["localhost", "local"].includes(each));
  if (others.length > 0)
    notes.push(
      `The boxes ${others.join(", ")} of \`${name}\` are left out: it runs on this machine.`,
    );
  dockerNote(name, target, notes);
  const setup = asText(target["setup"]) ?? "";
  const { packages } = setupOf(document, setup);
  if (packages.length > 0)
    notes.push(`On this machine \`${name}\` finds what is installed: ${packages.join(", ")}.`);
  return { backend: { type: "local" }, uses: new Set([`setups.${setup}`]) };
}

function onBatch(name: string, target: Fields, document: Fields, notes: string[]): Target {
  const service = asText(target["service"]) ?? "";
  const services = asMap(document["external-services"]);
  const account = storageOf(document, services);
  if (account === undefined)
    notes.push(`Put the storage account into the backend \`${name}\`, for mystorage.`);
  const setup = asText(target["setup"]) ?? "";
  const { packages, conda, activate } = setupOf(document, setup);
  if (activate !== undefined)
    notes.push(
      `\`${activate}\` of \`${name}\` is left out: its nodes run what \`start\` installs.`,
    );
  if (conda.length > 0)
    notes.push(
      `The conda packages ${conda.join(", ")} of \`${name}\` are left out: install them with \`start\`, or name an image.`,
    );
  const { image, container, registry, uses } = imagesOf(name, target, document, notes);
  return {
    container,
    uses: new Set([
      `external-services.${service}`,
      `external-services.${account ?? ""}`,
      `setups.${setup}`,
      ...uses,
    ]),
    backend: compact({
      type: "azure-batch",
      endpoint: (
        asText(asMap(services[service])["url"]) ?? `https://${service}.REGION.batch.azure.com`
      ).replace(/["/]+$/, ""),
      storage: { account: account ?? "mystorage" },
      vm_size: asText(target["vm-size"])?.toLowerCase() ?? "standard_d2s_v3",
      nodes: asNumber(target["nodes"]),
      priority: target["low-pri"] === true ? "low" : undefined,
      image,
      start:
        packages.length === 0
          ? undefined
          : `python3 -m pip install ${packages.map(quote).join(" ")}`,
      registries: registry === undefined ? [] : [registry],
    }),
  };
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** flow needs no library on the nodes. */
function setupOf(document: Fields, name: string) {
  const setup = asMap(asMap(document["setups"])[name]);
  return {
    activate: asText(setup["activate"]),
    conda: textsOf(setup["conda-packages"]),
    packages: textsOf(setup["pip-packages"]).filter((each) => !each.startsWith("xtlib")),
  };
}

/** The image of the machine and that of the container, with its registry. */
function imagesOf(name: string, target: Fields, document: Fields, notes: string[]) {
  const uses: string[] = [];
  const wanted = asText(target["azure-image"]);
  const machine = asMap(asMap(document["azure-batch-images"])[wanted ?? ""]);
  const { publisher, offer, sku, version, "node-agent-sku-id": agent } = machine;
  const isWhole = [publisher, offer, sku, agent].every((each) => asText(each) !== undefined);
  if (isWhole) uses.push(`azure-batch-images.${wanted}`);
  else if (wanted !== undefined)
    notes.push(`The image of \`${name}\` is left out: flow takes the newest verified Ubuntu.`);
  const docker = asText(target["docker"]) ?? "none";
  const { image, registry } = asMap(asMap(document["dockers"])[docker]);
  const tag = asText(image);
  if (tag === undefined) dockerNote(name, target, notes);
  else uses.push(`dockers.${docker}`);
  const at = asText(registry);
  const login = tag === undefined ? {} : asMap(asMap(document["external-services"])[at ?? ""]);
  const server = asText(login["login-server"]);
  const user = asText(login["username"]);
  if (server !== undefined) uses.push(`external-services.${at}`);
  if (server !== undefined && user !== undefined)
    notes.push("The registry's password is taken from the variable REGISTRY_PASSWORD.");
  return {
    uses,
    image: isWhole ? compact({ publisher, offer, sku, version, agent }) : undefined,
    container: server === undefined || tag === undefined ? tag : `${server}/${tag}`,
    registry:
      server === undefined || user === undefined
        ? undefined
        : { server, user, password_variable: "REGISTRY_PASSWORD" },
  };
}

function dockerNote(name: string, target: Fields, notes: string[]): void {
  const docker = asText(target["docker"]) ?? "none";
  if (docker !== "none")
    notes.push(
      `\`docker: ${docker}\` of \`${name}\` is left out: give the task its image as \`container\`.`,
    );
}

/** The storage that XT uses, or the only kind there is. */
function storageOf(document: Fields, services: Fields): string | undefined {
  const named = asText(asMap(document["xt-services"])["storage"]);
  return (
    named ??
    Object.keys(services).find((each) => asText(asMap(services[each])["type"]) === "storage")
  );
}

/** Sentences about what is declared for compute targets, and which of them takes. */
export function unused(document: Fields, targets: ReadonlyMap<string, Target>): readonly string[] {
  const used = new Set([...targets.values()].flatMap(({ uses }) => [...uses]));
  return ["external-services", "setups", "dockers", "azure-batch-images"].flatMap((section) => {
    const names = Object.keys(asMap(document[section])).filter(
      (name) => !used.has(`${section}.${name}`),
    );
    return names.length === 0
      ? []
      : [`Left out of \`${section}\`, as no backend has a use for it: ${names.join(", ")}.`];
  });
}
