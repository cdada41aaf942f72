// Which shell commands mean the same when a shell that lives on evaluates them in a subshell, as when
// a new shell is started for them. The scan is conservative: what it does not know, it refuses, also
// inside quotes.

/** Longer texts gain nothing and cost the shell that lives on its memory. */
const MAX_LENGTH = 4096;

/** Words that read or change the shell itself, leave something behind, or depend on who its parent is. */
const REFUSED_WORDS: ReadonlySet<string> = new Set(
  [
    "alias bg break builtin caller command continue coproc declare disown enable eval exec export",
    "fc fg function getopts hash help jobs kill let local logout mapfile newgrp nohup readarray",
    "readonly return select set setsid shift shopt source suspend time times trap type typeset",
    "ulimit unalias unset wait IFS PATH PPID LINENO OPTIND OPTARG RANDOM SECONDS SHLVL ENV OLDPWD",
    "PWD CDPATH",
  ].flatMap((line) => line.split(" ")),
);

const REFUSED_FORMS: readonly RegExp[] = [
  // Parameters that are the shell's own: $$ $! $0 $- $_ $@ $* $# $1
  /\$\{?[$!0-9\-_@*#](?![A-Za-z])/,
  // A job in the background; `&&`, `>&2` and `2>&1` are none.
  /(^|[^&<>])&(?![&\d-])|&>|[^<>]&\d/,
  // Descriptors beyond the three, here-documents, process substitution, functions.
  /(^|[^\w])[3-9]\d*[<>]|[<>]&[3-9]|<<|[<>]\(|\(\s*\)/,
  // The `.` command.
  /(^|[\s;&|({`])\.(\s|$)/,
  /[\0\r]/,
];

/** Whether a command may be evaluated by a shell that lives on. */
export function isPlain(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  if (REFUSED_FORMS.some((form) => form.test(text))) return false;
  for (const [word] of text.matchAll(/[A-Za-z_][A-Za-z0-9_]*/g))
    if (REFUSED_WORDS.has(word) || word.startsWith("_flow_")) return false;
  return true;
}

const BUILTINS: ReadonlySet<string> = new Set([
  ":",
  "[",
  "cd",
  "echo",
  "false",
  "printf",
  "pwd",
  "test",
  "true",
]);

/**
 * Whether a plain command starts no program: each of its commands is the shell's own. Such a command
 * is over at once and leaves nobody behind who could still write.
 */
export function startsNoProgram(text: string): boolean {
  if (/[`|(){}]|\$\(/.test(text.replaceAll("||", "\n"))) return false;
  return text.split(/\n|;|&&|\|\|/).every((command) => {
    const [word = ""] = command.trim().split(/\s/);
    return word === "" || BUILTINS.has(word);
  });
}
