// Follows the quoting of a shell text far enough to know how a value inserted at a point must be
// written so that the program gets it unchanged: bare words, both kinds of quotes, command
// substitutions, comments and here-documents.

/** Where in a shell text a value is inserted. */
export type ShellContext =
  | "bare"
  | "single"
  | "double"
  | "backquote"
  | "comment"
  | "heredoc"
  | "quoted-heredoc";

type Frame = "bare" | "paren" | "single" | "double" | "backquote" | "comment" | "heredoc";

interface Heredoc {
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly tabs: boolean;
}

/** Scans literal text piece by piece; between two pieces a value is inserted. */
export class ShellScanner {
  readonly #frames: Frame[] = ["bare"];
  #pending: Heredoc[] = [];
  #heredoc: Heredoc | undefined;
  /** The line of the here-document so far; undefined once a value was inserted into it. */
  #line: string | undefined = "";
  #wordStart = true;

  /** The context of a value inserted here. */
  context(): ShellContext {
    const frame = this.#top();
    if (this.#frames.includes("backquote")) return "backquote";
    if (frame === "heredoc") return this.#heredoc?.quoted === true ? "quoted-heredoc" : "heredoc";
    return frame === "paren" ? "bare" : frame === "backquote" ? "backquote" : frame;
  }

  /** Notes that a value stands here. */
  value(): void {
    this.#wordStart = false;
    this.#line = undefined;
  }

  /** Reads on over literal text. */
  text(text: string): void {
    for (let at = 0; at < text.length; at += 1) at += this.#step(text, at);
  }

  #top(): Frame {
    return this.#frames.at(-1) ?? "bare";
  }

  /** Reads the character at `at`; returns how many more it took. */
  #step(text: string, at: number): number {
    const character = text.charAt(at);
    switch (this.#top()) {
      case "single":
        if (character === "'") this.#frames.pop();
        return 0;
      case "comment":
        if (character !== "\n") return 0;
        this.#frames.pop();
        this.#newline();
        return 0;
      case "heredoc":
        this.#heredocStep(character);
        return 0;
      case "double":
        return this.#doubleStep(text, at);
      default:
        return this.#bareStep(text, at);
    }
  }

  #doubleStep(text: string, at: number): number {
    const character = text.charAt(at);
    if (character === "\\") return 1;
    if (character === '"') this.#frames.pop();
    else if (character === "`") this.#frames.push("backquote");
    else if (character === "$" && text.charAt(at + 1) === "(") {
      this.#frames.push("paren");
      this.#wordStart = true;
      return 1;
    }
    return 0;
  }

  #bareStep(text: string, at: number): number {
    const character = text.charAt(at);
    const atWordStart = this.#wordStart;
    this.#wordStart = /[\s;&|()]/.test(character);
    switch (character) {
      case "\\":
        return 1;
      case "'":
        this.#frames.push("single");
        return 0;
      case '"':
        this.#frames.push("double");
        return 0;
      case "`":
        if (this.#top() === "backquote") this.#frames.pop();
        else this.#frames.push("backquote");
        return 0;
      case "(":
        this.#frames.push("paren");
        return 0;
      case ")":
        if (this.#top() === "paren") this.#frames.pop();
        return 0;
      case "#":
        if (atWordStart) this.#frames.push("comment");
        return 0;
      case "<":
        return this.#redirection(text, at);
      case "\n":
        this.#newline();
        return 0;
      default:
        return 0;
    }
  }

  #redirection(text: string, at: number): number {
    if (text.startsWith("<<<", at)) return 2;
    const match = /^<<(-?)[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|\\?([\w.-]+))/.exec(
      text.slice(at, at + 200),
    );
    if (match === null) return 0;
    const word = match[4];
    this.#pending.push({
      delimiter: match[2] ?? match[3] ?? word ?? "",
      quoted: word === undefined || match[0].includes("\\"),
      tabs: match[1] === "-",
    });
    return match[0].length - 1;
  }

  #newline(): void {
    const next = this.#pending.shift();
    if (next === undefined) return;
    this.#heredoc = next;
    this.#line = "";
    this.#frames.push("heredoc");
  }

  #heredocStep(character: string): void {
    if (character !== "\n") {
      if (this.#line !== undefined) this.#line += character;
      return;
    }
    const line = this.#heredoc?.tabs === true ? this.#line?.replace(/^\t+/, "") : this.#line;
    this.#line = "";
    if (line !== this.#heredoc?.delimiter) return;
    this.#frames.pop();
    this.#wordStart = true;
    this.#newline();
  }
}

/** A text as one word of a POSIX shell, in quotes only where it needs them. */
export function shellQuote(text: string): string {
  if (/^[A-Za-z0-9_/.,:@%+=-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `text` as it must stand in `context` to arrive unchanged; undefined where that cannot be had. */
export function quoteFor(context: ShellContext, text: string): string | undefined {
  switch (context) {
    case "bare":
      return shellQuote(text);
    case "single":
      return text.replaceAll("'", "'\\''");
    case "double":
      return text.replace(/[\\"$`]/g, "\\$&");
    case "heredoc":
      return text.replace(/[\\$`]/g, "\\$&");
    case "comment":
      return text.replaceAll("\n", " ");
    case "quoted-heredoc":
      return text;
    case "backquote":
      return undefined;
  }
}
