// A terminal emulator to write to and look at.

import xterm from "@xterm/headless";

export interface Terminal {
  write(text: string): Promise<void>;
  resize(columns: number, rows: number): void;
  /** The visible lines, without trailing spaces and empty lines at the end. */
  screen(): readonly string[];
  /** Everything, scrolled-off lines included; wrapped lines joined. */
  history(): readonly string[];
  readonly title: string;
  /** Where the cursor stands in its line. */
  readonly column: number;
}

export function terminal(columns: number, rows: number): Terminal {
  const emulator = new xterm.Terminal({
    cols: columns,
    rows,
    allowProposedApi: true,
    convertEol: true,
    scrollback: 10_000,
  });
  let title = "";
  emulator.onTitleChange((text) => {
    title = text;
  });
  const lines = (from: number): readonly string[] => {
    const buffer = emulator.buffer.active;
    const found: string[] = [];
    for (let y = from; y < buffer.length; y += 1) {
      const line = buffer.getLine(y);
      const text = line?.translateToString(true) ?? "";
      if (line?.isWrapped === true && from === 0) found[found.length - 1] += text;
      else found.push(text);
    }
    while (found.at(-1) === "") found.pop();
    return found.map((line) => line.trimEnd());
  };
  return {
    write: (text) => new Promise((resolve) => emulator.write(text, resolve)),
    resize: (newColumns, newRows) => emulator.resize(newColumns, newRows),
    screen: () => lines(emulator.buffer.active.baseY),
    history: () => lines(0),
    get title() {
      return title;
    },
    get column() {
      return emulator.buffer.active.cursorX;
    },
  };
}
