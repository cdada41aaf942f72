// The form of the command table's rows.

export interface OptionRow {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What its value is called in help; absent: a flag. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  readonly choices?: readonly string[];
  readonly help: string;
}

export type CommandGroup = "run" | "look" | "record" | "change" | "file";

export interface CommandRow {
  readonly name: string;
  readonly group: CommandGroup;
  /** Half a line, for the list of commands. */
  readonly summary: string;
  /** Positional arguments as usage shows them; empty: none. */
  readonly positionals: string;
  /** Fewest and most positional arguments. */
  readonly arity: readonly [number, number];
  /** Everything from the first positional argument on belongs to another program. */
  readonly passThrough?: boolean;
  readonly options: readonly OptionRow[];
  /** What the summary leaves out, in sentences. */
  readonly details?: string;
  readonly examples?: readonly string[];
}
