/** Which of the images that an account offers its nodes get. */
import { describe, expect, it } from "vitest";
import type { Image } from "../src/service/batch-port.ts";
import { chooseImage } from "../src/translate/pool.ts";

const NOW = Date.parse("2026-11-22T00:00:00Z");

const image = (
  publisher: string,
  sku: string,
  agent: string,
  more: Partial<Image> = {},
): Image => ({
  reference: { publisher, offer: "ubuntu", sku, version: "latest" },
  agent: `batch.node.${agent}`,
  verified: true,
  endOfLife: undefined,
  capabilities: [],
  ...more,
});

const DOCKER = { capabilities: ["DockerCompatible", "NvidiaTeslaDriverInstalled"] };
const images = [
  image("canonical", "20_04-lts", "ubuntu 20.04"),
  image("canonical", "22_04-lts", "ubuntu 22.04"),
  image("microsoft-dsvm", "2204", "ubuntu 22.04", DOCKER),
  image("microsoft-azure-batch", "20-04-lts", "ubuntu 20.04", DOCKER),
  image("almalinux", "9-gen2", "el 9"),
];

const chosen = (from: readonly Image[], withContainers = false): string | undefined =>
  chooseImage(from, withContainers, NOW)?.reference.sku;

describe("the image of a pool", () => {
  it("is the newest Ubuntu of Canonical", () => {
    expect(chosen(images)).toBe("22_04-lts");
    expect(chosen(images.toReversed())).toBe("22_04-lts");
  });

  it("is the newest that runs containers, where tasks name some", () => {
    expect(chosen(images, true)).toBe("2204");
    expect(chosen(images.slice(0, 2), true)).toBeUndefined();
  });

  it("is none whose support ends within two months, or that nobody has verified", () => {
    const newer = image("canonical", "24_04-lts", "ubuntu 24.04");
    expect(chosen([...images, newer])).toBe("24_04-lts");
    const soon = { ...newer, endOfLife: Date.parse("2027-01-15T00:00:00Z") };
    expect(chosen([...images, soon])).toBe("22_04-lts");
    expect(chosen([...images, { ...newer, verified: false }])).toBe("22_04-lts");
  });
});
