/** Every behaviour of the simulator has a source, and the page about them says what the table says. */
import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { behaviours, behavioursPage } from "./simulator/behaviours.ts";

it("the page about the simulator is written from its table", async () => {
  await expect(behavioursPage()).toMatchFileSnapshot("../../docs/reference/azure-simulator.md");
});

it("the table speaks of files that are there", () => {
  const files = readdirSync(new URL("simulator", import.meta.url));
  expect(behaviours.filter(({ file }) => !files.includes(file))).toEqual([]);
});

it("no more is assumed than has been reviewed", () => {
  expect(behaviours.filter(({ source }) => source.kind === "assumed")).toHaveLength(25);
});
