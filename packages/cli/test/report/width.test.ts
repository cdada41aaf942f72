import { describe, expect, it } from "vitest";
import { shellWord, shortName } from "../../src/report/names.ts";
import { cut, displayWidth, pad } from "../../src/report/width.ts";

describe("the width of text", () => {
  it.each([
    ["abc", 3],
    ["漢字", 4],
    ["ｆｕｌｌ", 8],
    ["e\u0301", 1],
    ["한글", 4],
    ["✔ ▶ ·", 5],
    ["👍", 2],
  ])("of %j is %i columns", (text, columns) => {
    expect(displayWidth(text)).toBe(columns);
  });

  it("cuts with an ellipsis inside the limit, never through a wide character", () => {
    expect(cut("abcdef", 6)).toBe("abcdef");
    expect(cut("abcdefg", 6)).toBe("abcde…");
    expect(cut("漢字漢字", 6)).toBe("漢字…");
    expect(cut("漢字漢字", 1)).toBe("…");
    expect(cut("abc", 0)).toBe("");
    expect(pad("漢", 4)).toBe("漢  ");
  });
});

describe("a short name", () => {
  it.each([
    ["train@lr=0.1,seed=0", 30, "train@lr=0.1,seed=0"],
    ["train@framework=torch,lr=1e-3,seed=0", 24, "train@framewor…-3,seed=0"],
    ["train@framework=torch,lr=1e-3,seed=0", 12, "train@fr…d=0"],
    ["train@framework=torch,lr=1e-3,seed=0", 7, "train@…"],
    ["preprocess-everything", 10, "preproces…"],
  ])("keeps the template and both ends of the axes: %s in %i", (name, columns, short) => {
    expect(shortName(name, columns)).toBe(short);
    expect(displayWidth(shortName(name, columns))).toBeLessThanOrEqual(columns);
  });
});

describe("a word for the shell", () => {
  it.each([
    ["train@lr=0.1,seed=0", "train@lr=0.1,seed=0"],
    ["!x", "'!x'"],
    ["it's", "'it'\\''s'"],
    ["", "''"],
    ["a b", "'a b'"],
    ["$(rm -rf ~)", "'$(rm -rf ~)'"],
  ])("quotes %j only when needed", (word, quoted) => {
    expect(shellWord(word)).toBe(quoted);
  });
});
