// Values in shell texts arrive at the program unchanged, whatever they hold and wherever they stand.

import { execFileSync } from "node:child_process";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { Report } from "../../src/diagnostics/report.ts";
import type { ScalarNode } from "../../src/flowfile/document/node.ts";
import { shellQuote } from "../../src/flowfile/template/shell-context.ts";
import type { TemplateValue } from "../../src/flowfile/template/template.ts";
import { fillArgv, fillShell } from "../../src/flowfile/template/template.ts";

const scalar = (text: string): ScalarNode => ({
  kind: "scalar",
  value: text,
  text,
  file: 0,
  start: 0,
  end: text.length,
});

function filled(text: string, values: Readonly<Record<string, TemplateValue>>): string {
  const report = new Report();
  const lookup = (name: string): TemplateValue =>
    values[name] ?? { kind: "problem", code: "unknown-name", message: name };
  const { value } = fillShell(scalar(text), { lookup, report, sources: [{ text }] });
  expect(report.diagnostics).toEqual([]);
  if (typeof value !== "string") throw new Error("late");
  return value;
}

const run = (shell: string, script: string): string =>
  execFileSync(shell, ["-c", script], { encoding: "utf8", maxBuffer: 2 ** 26 });

/** In a here-document dash loses a byte that is no ASCII after the beginning of the end's word. */
const DASH_LOSES = /^EO?F?[^\0-\x7f]/m;

/** Anything a program can get as an argument. */
const value = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.string({ unit: "grapheme", maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom(..."'\"\\$`!*?[]{}()<>|&;#~ \n\t-=%^a1é".split("")),
      maxLength: 12,
    }),
  )
  .map((text) => text.replaceAll("\0", ""))
  .filter((text) => !DASH_LOSES.test(text));

/** Places for a value, each printing it and a separator that no value holds. */
const PLACES = [
  "printf '%s\\0' ${{ v }}",
  "printf '%s\\0' pre${{ v }}",
  "printf '%s\\0' \"${{ v }}\"",
  "printf '%s\\0' '${{ v }}'",
  'printf \'%s\\0\' "a ${{ v }} b" # it\'s "a" ${{ plain }}',
  "printf '%s\\0' \"$(printf '%s.' ${{ v }})\"",
  "printf '%s\\0' \"$(printf '%s.' \"${{ v }}\")\"",
  "(printf '%s\\0' ${{ v }})",
  "x=${{ v }}; printf '%s\\0' \"$x\"",
  "cat <<EOF; printf '\\0'\n${{ v }}\nEOF\nprintf '%s\\0' ${{ v }}",
  "cat <<'EOF'; printf '\\0'\n${{ v }}\nEOF",
  "if true; then printf '%s\\0' ${{ v }}; fi",
];

/** What each place prints for a value. */
function expected(place: string, text: string): string {
  // A command substitution drops line ends at its end; the dot keeps them.
  if (place.includes("$(")) return `${text}.\0`;
  if (place.includes("EOF\nprintf")) return `${text}\n\0${text}\0`;
  if (place.includes("EOF")) return `${text}\n\0`;
  if (place.includes("pre")) return `pre${text}\0`;
  return place.includes('"a ${{') ? `a ${text} b\0` : `${text}\0`;
}

describe("a value in a shell text", () => {
  test.prop([fc.array(value, { minLength: 8, maxLength: 8 })], { numRuns: 150 })(
    "arrives unchanged wherever it stands",
    (texts) => {
      const script = texts.flatMap((text) =>
        PLACES.map((place) =>
          filled(place, {
            v: { kind: "text", text },
            plain: { kind: "text", text: "x" },
          }),
        ),
      );
      const wanted = texts.flatMap((text) => PLACES.map((place) => expected(place, text)));
      expect(run("sh", script.join("\n"))).toBe(wanted.join(""));
    },
  );

  test.prop([fc.array(value, { maxLength: 6 })], { numRuns: 60 })(
    "becomes several words when it is a list",
    (items) => {
      const script = filled("printf '%s\\0' start ${{ v }}", { v: { kind: "list", items } });
      expect(run("sh", script)).toBe(["start", ...items].map((item) => `${item}\0`).join(""));
    },
  );

  test.prop([value], { numRuns: 60 })("arrives unchanged in bash", (text) => {
    const script = filled(PLACES.join("\n"), {
      v: { kind: "text", text },
      plain: { kind: "text", text: "x" },
    });
    expect(run("bash", script)).toBe(PLACES.map((place) => expected(place, text)).join(""));
  });

  test("would not arrive without quotes", () => {
    const text = "a  b";
    const script = filled("printf '%s\\0' ${{ v | raw }}", { v: { kind: "text", text } });
    expect(run("sh", script)).toBe("a\0b\0");
  });
});

describe("a word for the shell", () => {
  test.prop([value])("is one word", (text) => {
    expect(run("sh", `printf '%s\\0' ${shellQuote(text)}`)).toBe(`${text}\0`);
  });
});

describe("a value in an argument list", () => {
  test.prop([value, fc.array(value)])("is an argument as it is", (text, items) => {
    const report = new Report();
    const values: Record<string, TemplateValue> = {
      v: { kind: "text", text },
      list: { kind: "list", items },
    };
    const lookup = (name: string): TemplateValue =>
      values[name] ?? { kind: "problem", code: "unknown-name", message: name };
    const words = ["run", "--v=${{ v }}", "${{ v }}", "${{ list }}"].map(scalar);
    const argv = fillArgv(words, { lookup, report, sources: [{ text: "" }] }).value;
    expect(argv).toEqual(["run", `--v=${text}`, text, ...items]);
  });
});
