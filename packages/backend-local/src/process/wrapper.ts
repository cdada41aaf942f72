// The shell text around an attempt's actions. It claims the attempt, runs the actions in order, then
// `finally`, and writes the result; the result is never lost to errexit, to a signal at the group or
// to a syntax error in an action. Written for dash, busybox and bash alike; on the way of a short
// action it starts nothing but the action. Names begin with `_flow_` to stay clear of the program's.

import type { Job, JobAction } from "@flow/core";
import { type AttemptFiles, claimWords, type StopPolicy } from "./files.ts";
import { isPlain, startsNoProgram } from "./plain-text.ts";
import { MARK } from "./table.ts";

/**
 * Definitions, read once by a shell before any attempt. A signal at the whole group reaches the
 * shell too, and must not take the result along; its trap is a command and never the empty text,
 * because ignored signals are inherited. Where a redirection may fail, its command is none of the
 * special ones (`:`, `times`), for these take the shell along.
 */
export const PRELUDE = `umask 077
trap : HUP INT QUIT USR1 USR2 ALRM TERM PIPE
_flow_start=-
if read -r _flow_line </proc/$$/stat; then
set -- \${_flow_line##*") "}; _flow_start=\${20}; set --
else
_flow_start=$(ps -o lstart= -p $$ | sed 's/ *$//; s/ /_/g')
fi 2>/dev/null
_flow_claim() {
_flow_dir=$1 _flow_code=0 _flow_signal=0 _flow_action=0 _flow_error=- _flow_phase=main _flow_torn=
set -C
{ printf 'pid=%s start=%s %s\\n' $$ "$_flow_start" "$2" || _flow_torn=1; } >"$1/started" || { set +C; return 1; }
set +C
if [ "$_flow_torn" ] || ! { [ "$3" ] || { true >>"$1/stdout" && true >>"$1/stderr"; }; }; then _flow_error=system _flow_code=125 _flow_phase=over; fi
}
_flow_refuse() {
_flow_error=$1 _flow_code=125 _flow_phase=over
printf 'flow: %s\\n' "$2" >>"$_flow_dir/stderr"
}
_flow_begin() {
case $_flow_phase in
over) return 1 ;;
main) [ ! -e "$_flow_dir/stop" ] || return 1 ;;
esac
_flow_action=$1
cd "$2" || { _flow_refuse cwd "the working directory $2 is missing or closed"; return 1; }
unset OLDPWD
}
_flow_input() {
[ -r "$1" ] || { _flow_refuse stdin "the input file $1 is missing or closed"; return 1; }
}
_flow_mark() {
read -r _flow_up _flow_line </proc/uptime || _flow_up=-
printf 'action=%s uptime=%s\\n' "$1" "$_flow_up" >>"$_flow_dir/started"
}
_flow_fail() {
_flow_code=$1 _flow_phase=over
if [ "$1" -gt 128 ] && [ "$1" -lt 193 ]; then _flow_signal=$(($1 - 128)); fi
}
_flow_finally() {
[ "$_flow_signal" -ne 9 ] || [ ! -e "$_flow_dir/stop" ] || return 1
_flow_kept="$_flow_code $_flow_signal $_flow_action $_flow_error" _flow_phase=finally
}
_flow_restore() {
set -- $_flow_kept
_flow_code=$1 _flow_signal=$2 _flow_action=$3 _flow_error=$4
set --
}
_flow_keep() {
[ ! -s "$1" ] || { cat <"$1" >>"$2"; : >"$1"; }
}
_flow_result() {
_flow_stopped=-
if [ -e "$_flow_dir/stop" ]; then
_flow_stopped=user
read -r _flow_line <"$_flow_dir/stop"
case $_flow_line in *'"reason":"'*) _flow_line=\${_flow_line#*'"reason":"'} _flow_stopped=\${_flow_line%%'"'*} ;; esac
[ "$_flow_action" -ge "$_flow_count" ] || [ "$_flow_code" -ne 0 ] || { _flow_code=143 _flow_signal=15; }
fi
_flow_up=-
[ "$1" ] || read -r _flow_up _flow_line </proc/uptime || _flow_up=-
_flow_line="code=$_flow_code signal=$_flow_signal stopped=$_flow_stopped cause=- action=$_flow_action leaky=0 error=$_flow_error uptime=$_flow_up"
_flow_tries=0
until { [ -z "$1" ] && printf '%s\\n' "$_flow_line" >"$_flow_dir/exit"; } || printf '%s\\n' "$_flow_line" >>"$_flow_dir/started"; do
_flow_tries=$((_flow_tries + 1))
[ "$_flow_tries" -lt 30 ] && [ -d "$_flow_dir" ] || return 1
sleep 1
done
}
`;

/** What only a shell of one attempt needs: its usage, and a result when the shell itself gives up. */
const ALONE = `_flow_seconds() {
_flow_part=\${1#*m}
printf '%s.%s' $((\${1%%m*} * 60 + \${_flow_part%%[.,]*})) "\${_flow_part#*[.,]}"
}
_flow_usage() {
{ times; } >"$_flow_dir/usage.jsonl" || return 0
{ read -r _flow_line && read -r _flow_user _flow_sys; } <"$_flow_dir/usage.jsonl" || return 0
{ printf '{"k":"usage","cpu_user_s":'; _flow_seconds "\${_flow_user%s}"; printf ',"cpu_sys_s":'; _flow_seconds "\${_flow_sys%s}"; printf '}\\n'; } >"$_flow_dir/usage.jsonl"
}
_flow_give_up() {
_flow_code=125 _flow_error=system
_flow_result
}
`;

/** An attempt as the wrapper needs it. */
export interface AttemptSpec {
  readonly job: Pick<Job, "key" | "actions" | "finally" | "interactive">;
  readonly files: AttemptFiles;
  readonly policy: StopPolicy;
  readonly boot: string;
  readonly host: string;
  /** Seconds since boot, now. */
  readonly uptime: number;
  /** The umask of the programs, in octal. */
  readonly umask: string;
}

/** The text of a shell that runs one attempt and ends. Its environment is the program's. */
export function aloneScript(spec: AttemptSpec): string {
  return `${PRELUDE}${ALONE}_flow_claim ${claimArguments(spec)} || exit 97
[ -z "$_flow_torn" ] || exit 98
trap _flow_give_up EXIT
FLOW_JOB_ID=$$ FLOW_ATTEMPT_KEY=${quote(spec.job.key)} ${MARK}=${quote(spec.files.directory)}
export FLOW_JOB_ID FLOW_ATTEMPT_KEY ${MARK}
_flow_count=${spec.job.actions.length}
${actionsScript(spec, execText, FILE_STREAMS)}trap - EXIT
_flow_usage
_flow_result
`;
}

/**
 * The text that makes a shell which lives on run one attempt and tell the result. Whole or nothing: a
 * text that is cut off because flow dies does not parse. `setup` comes first.
 */
export function runnerScript(spec: AttemptSpec, setup: string): string {
  const brief = isBrief(spec.job);
  const streams = brief ? BRIEF_STREAMS : `${FILE_STREAMS} 3>&- 4>&-`;
  const result = brief
    ? `_flow_keep /proc/self/fd/3 "$_flow_dir/stdout"; _flow_keep /proc/self/fd/4 "$_flow_dir/stderr"; _flow_result brief`
    : "_flow_result";
  return `{
${setup}FLOW_JOB_ID=$$ FLOW_ATTEMPT_KEY=${quote(spec.job.key)} ${MARK}=${quote(spec.files.directory)}
export FLOW_JOB_ID FLOW_ATTEMPT_KEY ${MARK}
_flow_count=${spec.job.actions.length}
_flow_line=lost
_flow_claim ${claimArguments(spec)}${brief ? " brief" : ""} && {
${actionsScript(spec, plainText, streams)}if [ "$_flow_torn" ]; then _flow_line=torn; else ${result}; fi
}
${brief ? `printf '%s\\n\\n\\n' "$_flow_line"` : `printf '%s\\n' "$_flow_line"; times`}
}
`;
}

/** Where output goes: to the attempt's files, or to those the shell holds until the end. */
const FILE_STREAMS = ` >>"$_flow_dir/stdout" 2>>"$_flow_dir/stderr"`;
const BRIEF_STREAMS = " >&3 2>&4";

/**
 * Whether a job starts no program at all. Creating files is then most of its cost, so only its claim
 * is made: the result is the claim's second line, and output is kept where there is any. Nameless files
 * can be opened again only through Linux's /proc.
 */
export const isBrief = (job: Pick<Job, "actions" | "finally">): boolean =>
  process.platform === "linux" &&
  [...job.actions, ...job.finally].every((action) => startsNoProgram(shellText(action) ?? "`"));

/** Whether every action can be run by a shell that lives on. */
export function isForRunner(job: Pick<Job, "actions" | "finally">): boolean {
  return [...job.actions, ...job.finally].every(
    (action) =>
      Object.keys(action.env).every(isHarmless) &&
      (shellText(action) === undefined
        ? action.argv[0] !== "bash"
        : isPlain(shellText(action) ?? "")),
  );
}

/** Whether a variable can be exported by a shell without changing how the shell works. */
export function isHarmless(name: string): boolean {
  let known = harmless.get(name);
  if (known === undefined) {
    known = isIdentifier(name) && !name.startsWith("_flow_") && !SHELL_VARIABLES.has(name);
    harmless.set(name, known);
  }
  return known;
}

/** Names repeat from job to job. */
const harmless = new Map<string, boolean>();

const SHELL_VARIABLES: ReadonlySet<string> = new Set(
  "IFS PATH PPID PWD OLDPWD CDPATH ENV HOME LANG LC_ALL LC_CTYPE OPTIND OPTARG PS1 PS2 PS4 UID EUID SHELLOPTS BASHOPTS BASH_ENV POSIXLY_CORRECT".split(
    " ",
  ),
);

/** The command of an action that is `sh -e -c TEXT`; undefined for others. */
function shellText(action: JobAction): string | undefined {
  const [shell, errexit, command, text] = action.argv;
  const isShell = shell === "sh" && errexit === "-e" && command === "-c";
  return isShell && action.argv.length === 4 ? text : undefined;
}

/** Becomes the program, or evaluates a command in the subshell without starting a shell for it. */
function plainText(action: JobAction): string {
  const text = shellText(action);
  return text === undefined ? execText(action) : `set -e\neval ${quote(text)}`;
}

/** The arguments of `_flow_claim`. */
function claimArguments(spec: AttemptSpec): string {
  const words = `boot=${spec.boot || "-"} host=${spec.host.replaceAll(/\s/g, "_") || "-"} uptime=${spec.uptime.toFixed(2)} runner=local${spec.job.interactive ? " terminal=1" : ""} ${claimWords(spec.policy)}`;
  return `${quote(spec.files.directory)} ${quote(words)}`;
}

/** The actions, then `finally`. `body` gives the text that becomes the program. */
function actionsScript(
  spec: AttemptSpec,
  body: (action: JobAction) => string,
  streams: string,
): string {
  const { actions, finally: last } = spec.job;
  const watched = spec.policy.actionTimeoutsMs.some((timeout) => timeout !== undefined);
  const one = (action: JobAction, number: number): string => {
    const input = action.stdin === undefined ? "" : ` && _flow_input ${quote(action.stdin)}`;
    const redirect = spec.job.interactive
      ? ""
      : ` <${quote(action.stdin ?? "/dev/null")}${streams}`;
    const good = [...new Set([0, ...action.okExit])].join("|");
    return `_flow_begin ${number} ${quote(action.cwd)}${input} && {
${watched ? `_flow_mark ${number}\n` : ""}(umask ${spec.umask}
${exportText(action.env)}${body(action)}
)${redirect}
case $? in ${good}) ;; *) _flow_fail $? ;; esac
}
`;
  };
  const main = actions.map((action, index) => one(action, index + 1)).join("");
  if (last.length === 0) return main;
  const rest = last
    .map((action, index) => one(action, actions.length + index + 1))
    .join("_flow_phase=finally\n");
  return `${main}_flow_finally && {\n${rest}_flow_restore\n}\n`;
}

/** Longest text one argument of a program may have on Linux, with a margin. */
export const MAX_ARGUMENT = 120_000;

/**
 * Becomes the program. Variables whose names no shell can hold go through env(1). A command for a
 * shell that is too long for an argument goes through a file.
 */
function execText(action: JobAction): string {
  const odd = Object.entries(action.env).filter(([name]) => !isIdentifier(name));
  const through = odd.map(([name, value]) => ` ${quote(`${name}=${value}`)}`).join("");
  const prefix = odd.length === 0 ? "" : ` env${through}`;
  const command = action.argv.at(-1) ?? "";
  const isShell = /^(sh|bash)$/.test(action.argv[0] ?? "") && action.argv.at(-2) === "-c";
  if (!isShell || Buffer.byteLength(command) <= MAX_ARGUMENT)
    return `exec${prefix} ${action.argv.map(quote).join(" ")}`;
  const file = '"$_flow_dir/command-$_flow_action.sh"';
  const shell = action.argv.slice(0, -2).map(quote).join(" ");
  return `printf '%s\\n' ${quote(command)} >${file} && exec${prefix} ${shell} ${file}`;
}

/** What turns one set of exported variables into another; what only the first has is as inherited again. */
export function changeText(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  inherited: Readonly<Record<string, string | undefined>>,
): string {
  let text = "";
  for (const name of Object.keys(before)) {
    if (name in after) continue;
    const value = inherited[name];
    text += value === undefined ? `unset ${name}\n` : `export ${name}=${quote(value)}\n`;
  }
  for (const [name, value] of Object.entries(after))
    if (before[name] !== value) text += `export ${name}=${quote(value)}\n`;
  return text;
}

/** Exports the variables whose names a shell can hold. */
function exportText(env: Readonly<Record<string, string>>): string {
  let text = "";
  for (const [name, value] of Object.entries(env))
    if (isIdentifier(name)) text += `export ${name}=${quote(value)}\n`;
  return text;
}

const isIdentifier = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/** A text as one word of a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
