// Every kind of bad input and the whole text it gets. The files in `bad-input/` hold one case after
// another: `### name`, the files and arguments given, and after `--- says` what a person reads.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { diagnosticTitles } from "../../src/diagnostics/codes.ts";
import { type Given, loadFiles, shown } from "./loading.ts";

const folder = new URL("bad-input/", import.meta.url);

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly given: Given;
  readonly says: string;
}

function casesIn(text: string): readonly Case[] {
  return text
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const [head = "", ...sections] = part.split(/^--- /m);
      const named = sections.map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end), section.slice(end + 1)] as const;
      });
      const of = (name: string): string | undefined =>
        named.find(([key]) => key === name)?.[1].trimEnd();
      const params = named
        .filter(([key]) => key === "-p")
        .map(([, line]) => {
          const [, name = "", raw = ""] = /^(.*?)=(.*)$/.exec(line.trimEnd()) ?? [];
          return line.startsWith("@") ? { rows: `/p/${line.trim().slice(1)}` } : { name, raw };
        });
      const file = of("-f");
      const paramsFile = of("--params-file");
      return {
        name: head.trim(),
        files: Object.fromEntries(named.filter(([key]) => key !== "says" && !key.startsWith("-"))),
        given: {
          params,
          ...(file === undefined ? {} : { file }),
          ...(paramsFile === undefined ? {} : { paramsFile }),
        },
        says: of("says") ?? "",
      };
    });
}

const groups = readdirSync(folder).map((file) => ({
  area: file.replace(".txt", ""),
  cases: casesIn(readFileSync(new URL(file, folder), "utf8")),
}));

for (const { area, cases } of groups) {
  describe(`bad input: ${area}`, () => {
    test.each(cases)("$name", ({ files, given, says }) => {
      const result = loadFiles(files, given);
      expect(shown(result).trimEnd()).toBe(says);
      for (const { code } of result.diagnostics) {
        expect(Object.keys(diagnosticTitles)).toContain(code);
      }
      const isRefused = result.diagnostics.some(({ severity }) => severity === "error");
      expect(result.project === undefined).toBe(isRefused);
    });
  });
}

describe("bad input", () => {
  test("covers at least forty kinds", () => {
    const texts = groups.flatMap(({ cases }) => cases.map(({ says }) => says));
    const codes = texts.flatMap((text) =>
      [...text.matchAll(/\[([a-z-]+)\]$/gm)].map(([code]) => code),
    );
    expect(new Set(codes).size).toBeGreaterThanOrEqual(40);
  });
});
