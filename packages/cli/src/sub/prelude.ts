// What a job script is run with to find its commands: functions and programs in the place of python
// and its launchers, which write down what they were asked to do instead of doing it.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Programs whose command lines are jobs. */
const PROGRAMS = ["python", "python2", "python3", "torchrun", "accelerate", "deepspeed"];
/** Programs that start others; a job when there is one of the above behind them. */
const STARTERS = ["srun", "mpirun", "mpiexec"];

/**
 * Bash that is read before the script. A function goes before any program of its name, also after an
 * environment was activated; the DEBUG trap sees what functions cannot: paths, and python behind
 * another program. `python -c` and its kin compute something for the script and are run.
 */
const PRELUDE = String.raw`
__flow_record() {
  local file; file="$FLOW_SUB_RECORD/\${EPOCHREALTIME-$(date +%s.%N)}-$BASHPID-$RANDOM"
  { printf '%s\0' "$PWD" "$#" "$@"; env -0; } > "$file.tmp" && mv "$file.tmp" "$file"
}
__flow_really() {
  local saved="$PATH" code
  PATH="\${PATH//$FLOW_SUB_SHIMS:/}"
  command "$@"; code=$?
  PATH="$saved"
  return $code
}
__flow_program() {
  local __flow_busy=1
  case "$1:\${2-}" in
    python*:-c | python*:-V | python*:--version | python*:-h | python*:--help | python*:- | python*:) __flow_really "$@"; return ;;
    python*:-m) case "\${3-}" in pip | venv | ensurepip | site) __flow_really "$@"; return ;; esac ;;
  esac
  __flow_record "$@"
}
__flow_debug() {
  [ -n "\${__flow_busy-}" ] && return 0
  case "$1" in __flow_*) return 0 ;; esac
  local command="$1" word='[^[:space:];|&<>()]*'
  [[ $command =~ (^|[[:space:]])($word/)?(PROGRAMS)([[:space:]]|$) ]] || return 0
  local assignments=""
  while [[ $command =~ ^([A-Za-z_][A-Za-z0-9_]*=$word[[:space:]]+)(.*)$ ]]; do
    assignments+="\${BASH_REMATCH[1]}"
    command="\${BASH_REMATCH[2]}"
  done
  [[ $command =~ ^(PROGRAMS)([[:space:]]|$) ]] && return 0
  [[ $command =~ ^(command|exec|eval|source|\.|export|declare|local|echo|printf|for|case|function|cd|which|type|module|conda[[:space:]]+(activate|deactivate)|pip|alias|unset|trap|test|\[|\[\[) ]] && return 0
  local __flow_busy=1
  eval "$assignments __flow_record $command"
  return 1
}
`
  .replaceAll("\\${", "${")
  .replaceAll("PROGRAMS", PROGRAMS.join("|"));

const FUNCTIONS = [...PROGRAMS, ...STARTERS].map(
  (name) => `${name}() { __flow_program ${name} "$@"; }`,
);

const NAMES = ["__flow_record", "__flow_really", "__flow_program", ...PROGRAMS, ...STARTERS];

/** Where the pieces lie, all below one temporary folder. */
export interface Prelude {
  /** Run by bash with the script's path and its arguments behind it. */
  readonly main: string;
  /** One file per command. */
  readonly records: string;
  readonly shims: string;
}

/** Writes everything into `folder`. */
export function writePrelude(folder: string): Prelude {
  const shims = join(folder, "bin");
  const records = join(folder, "records");
  mkdirSync(shims, { recursive: true });
  mkdirSync(records);
  const prelude = join(folder, "prelude.bash");
  writeFileSync(prelude, `${PRELUDE}\n${FUNCTIONS.join("\n")}\nexport -f ${NAMES.join(" ")}\n`);
  for (const name of [...PROGRAMS, ...STARTERS]) {
    const shim = join(shims, name);
    writeFileSync(shim, `#!/usr/bin/env bash\n. '${prelude}'\n__flow_program ${name} "$@"\n`);
    chmodSync(shim, 0o755);
  }
  const main = join(folder, "main.bash");
  writeFileSync(
    main,
    `. '${prelude}'\nshopt -s extdebug\nset -T\ntrap '__flow_debug "$BASH_COMMAND"' DEBUG\n. "$@"\n`,
  );
  return { main, records, shims };
}
