import { describe, expect, it } from "vitest";
import { decode, sanitize, sanitizeLine } from "../../src/report/sanitize.ts";
import { terminal } from "./terminal.ts";

const ESC = "\u001b";

const CORPUS: readonly (readonly [what: string, hostile: string, readable: string])[] = [
  ["colours", `${ESC}[1;31merror${ESC}[0m: bad`, "error: bad"],
  ["true colour with colons", `${ESC}[38:2::255:0:0mred`, "red"],
  ["clearing the screen", `a${ESC}[2J${ESC}[Hb`, "ab"],
  ["a full reset", `a${ESC}cb`, "ab"],
  ["8-bit control sequences", "a\u009b31mb\u009d0;title\u0007c", "abc"],
  ["a window title", `${ESC}]0;owned\u0007done`, "done"],
  ["the clipboard (OSC 52)", `${ESC}]52;c;cm0gLXJmIH4=${ESC}\\done`, "done"],
  ["a hyperlink (OSC 8)", `${ESC}]8;;https://evil.example${ESC}\\click${ESC}]8;;${ESC}\\`, "click"],
  ["a device control string", `a${ESC}P1$r0m${ESC}\\b`, "ab"],
  ["a string that never ends, up to its line", `a${ESC}]0;never\nnext line`, "a\nnext line"],
  ["a sequence that never ends", `a${ESC}[12;`, "a"],
  ["a lone ESC at the end", `a${ESC}`, "a"],
  ["character set switches", `${ESC}(0lqk${ESC}(B`, "lqk"],
  ["a bell", "ping\u0007!", "ping!"],
  ["NUL and other controls", "a\u0000b\u0001c\u007fd", "a␀b␁c␡d"],
  ["a progress bar", "  0%\r 50%\r100%\n", "100%\n"],
  ["a progress bar that ends in a carriage return", " 50%\r100%\r", "100%"],
  ["Windows line ends", "one\r\ntwo\r\n", "one\ntwo\n"],
  ["a spinner of backspaces", "work |\b/\b-\b\\", "work \\"],
  ["text written over with backspaces", "b\bbo\bol\bld\bd", "bold"],
  ["reordered text (bidi)", "user\u202e nimda\u202c \u2066x\u2069", "user nimda x"],
  ["invisible tag characters", "a\u{e0041}\u{e007f}b", "ab"],
  ["Unicode line separators", "a\u2028b\u2029c", "abc"],
  ["half a surrogate pair", "a\ud800b", "a\ufffdb"],
  ["scripts, emoji and accents", "漢字 é 👩‍🔬 عربى ✔", "漢字 é 👩‍🔬 عربى ✔"],
  ["tabs and newlines", "a\tb\nc", "a\tb\nc"],
];

describe("text of tasks", () => {
  it.each(CORPUS)("stays readable and harmless: %s", (_what, hostile, readable) => {
    expect(sanitize(hostile)).toBe(readable);
  });

  it("becomes one line where one line is wanted", () => {
    expect(sanitizeLine("a\tb\nc")).toBe("a b c");
  });

  it("may be bytes that are no UTF-8", () => {
    expect(decode(Uint8Array.from([0x61, 0xff, 0xfe, 0x62]))).toBe("a\ufffd\ufffdb");
  });

  it("cannot move the cursor, set the title or change other lines of a terminal", async () => {
    for (const [, hostile] of CORPUS) {
      const screen = terminal(80, 10);
      await screen.write("first line\n> ");
      await screen.write(sanitizeLine(hostile));
      await screen.write("\nlast line");
      expect(screen.screen()[0]).toBe("first line");
      expect(screen.screen()[1]).toMatch(/^>/);
      expect(screen.screen()[2]).toBe("last line");
      expect(screen.title).toBe("");
    }
  });
});
