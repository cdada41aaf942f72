// Whether to colour, and the few styles there are. Colour never carries meaning alone: the words and
// symbols say the same.

import { styleText } from "node:util";
import type { Io, Output } from "../io.ts";

type Format = Parameters<typeof styleText>[0];

export type Style = "good" | "bad" | "warn" | "active" | "dim" | "strong" | "blocked";

/** Text with a style; plain text when colours are off. */
export type Paint = (style: Style, text: string) => string;

const FORMATS: Readonly<Record<Style, Format>> = {
  good: "green",
  bad: ["red", "bold"],
  warn: "yellow",
  active: "cyan",
  dim: "dim",
  strong: "bold",
  blocked: "magenta",
};

export const plainPaint: Paint = (_style, text) => text;

const colorPaint: Paint = (style, text) =>
  text === "" ? "" : styleText(FORMATS[style], text, { validateStream: false });

/** The first that is set decides: `--color`, NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM=dumb, a terminal. */
export function wantsColor(option: string | undefined, env: Io["env"], isTTY: boolean): boolean {
  if (option === "always") return true;
  if (option === "never") return false;
  if (isSet(env["NO_COLOR"])) return false;
  if (isSet(env["FORCE_COLOR"])) return env["FORCE_COLOR"] !== "0";
  if (isSet(env["CLICOLOR_FORCE"]) && env["CLICOLOR_FORCE"] !== "0") return true;
  if (env["TERM"] === "dumb") return false;
  return isTTY;
}

/** {@link wantsColor} for one stream. */
export const hasColor = (output: Output, option: string | undefined, env: Io["env"]): boolean =>
  wantsColor(option, env, output.isTTY);

/** The styles for one stream; `option` is the value of `--color`. */
export function paintFor(output: Output, option: string | undefined, env: Io["env"]): Paint {
  return hasColor(output, option, env) ? colorPaint : plainPaint;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";
