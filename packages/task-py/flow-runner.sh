#!/bin/sh
# Runs one attempt on a node that has no Node.js and perhaps no Python: sh flow-runner.sh spec.sh [DIR].
# README.md beside this file defines the files and promises; flow_task.py exec keeps the same ones, and both pass one list of
# tests. Written for dash, busybox and bash --posix. On the way of a short program it starts nothing but the program: every
# fork here is one that thousands of tasks would pay. Names: flow_* comes from the specification, r_* is the runner's own.
# Backquotes throughout: a trap that comes while bash 5.2 reads a $(…) breaks its parser.
# shellcheck disable=SC2006

r_usage() {
  printf 'flow-runner.sh: %s\nusage: sh flow-runner.sh SPEC.sh [DIR]\n' "$1" >&2
  exit 98
}

# --- time and result files ---------------------------------------------------------------------------------------------------

# Sets r_up (seconds since boot as the kernel writes them, or -) and r_cs (whole centiseconds of a clock that only grows). Not
# by the status of a command: r_attend says why.
r_clock() {
  case $r_has_uptime in
    1) ;;
    *)
      r_unix=`date +%s`
      r_cs=${r_unix}00
      return
      ;;
  esac
  for _ in 1 2 3 4 5; do
    r_seen='' r_rest=''
    read -r r_seen r_rest </proc/uptime
    # A signal can end a read early.
    case $r_seen/$r_rest in
      *.??/*.??)
        r_up=$r_seen
        r_cs=${r_up%.*}${r_up#*.}
        r_cs=${r_cs#"${r_cs%%[1-9]*}"}
        r_cs=${r_cs:-0}
        return
        ;;
    esac
  done 2>/dev/null
}

# Creates `started`, or leaves: 97 when it is there already. A claim that could not be written whole is given back.
r_claim() {
  r_boot=- r_host=-
  r_read_stat $$
  # shellcheck disable=SC2086 # the fields are numbers
  set -- $r_fields
  r_start=${20:--}
  read -r r_boot </proc/sys/kernel/random/boot_id 2>/dev/null || r_boot=-
  read -r r_host </proc/sys/kernel/hostname 2>/dev/null || r_host=-
  r_clock
  r_begin=$r_cs r_torn=
  set -C
  {
    printf 'pid=%s start=%s boot=%s host=%s uptime=%s runner=sh\n' "$$" "$r_start" "$r_boot" "$r_host" "$r_up" >&3 ||
      r_torn=1
  } 3>started 2>/dev/null || {
    [ -e started ] && exit 97
    r_usage "cannot create $PWD/started"
  }
  set +C
  if [ -n "$r_torn" ]; then
    rm -f started
    r_usage "cannot write $PWD/started"
  fi
}

# Sets r_line to what the kernel says of process $1, and r_fields to what follows the command name there; empty when there is no
# such process. By one read: for each line of a file bash reads the file anew, and in /proc the lines may have moved.
r_read_stat() {
  for _ in 1 2 3 4 5; do
    r_line=
    read -r r_line <"/proc/$1/stat"
    r_fields=${r_line##*") "}
    # A signal can end a read early.
    # shellcheck disable=SC2086 # the fields are numbers
    set -- "$1" $r_fields
    case ${40:+whole} in whole) return ;; esac
  done
  r_line='' r_fields=''
} 2>/dev/null

# Sets r_decimal to $1 hundredths as a decimal.
r_hundredths() {
  r_rest=$(($1 % 100))
  [ "$r_rest" -gt 9 ] || r_rest=0$r_rest
  r_decimal=$(($1 / 100)).$r_rest
}

# Sets r_wall, r_user and r_sys, in seconds; the processor time is that of the programs, in ticks of 1/100 s.
r_measure() {
  r_hundredths "$((r_cs - r_begin))"
  r_wall=$r_decimal r_user=- r_sys=-
  r_read_stat $$
  [ -n "$r_fields" ] || return 0
  # shellcheck disable=SC2086 # the fields are numbers
  set -- $r_fields
  r_hundredths "${14}"
  r_user=$r_decimal
  r_hundredths "${15}"
  r_sys=$r_decimal
}

# Writes the result. A full disk may have room again in a moment, and the result is worth waiting for.
r_write_exit() {
  # The program may end before the stop that was asked for is heard of.
  [ -n "$r_stopped" ] || [ ! -e "$r_stop_file" ] || r_read_stop_file
  r_clock
  r_measure
  r_result="code=$r_code signal=$r_signal stopped=${r_stopped:--} cause=${r_cause:--} action=$r_action leaky=$r_leaky"
  r_result="$r_result error=${r_error:--} uptime=$r_up wall=$r_wall user=$r_user sys=$r_sys rss=${r_peak:--}"
  r_tries=0
  until printf '%s\n' "$r_result" 2>/dev/null >exit; do
    r_tries=$((r_tries + 1))
    [ "$r_tries" -lt 30 ] || break
    sleep 1
  done
  r_written=1
}

# The shell itself gives up (it cannot fork, the specification does not parse): what runs is ended and the result says so. A
# child of bash that is killed before it becomes a program comes here too.
r_give_up() {
  r_line=
  { read -r r_line </proc/self/stat; } 2>/dev/null
  case $r_line in '' | "$$ "*) ;; *) return 0 ;; esac
  [ -z "$r_written" ] || return 0
  [ -z "$r_pid" ] || r_kill_tree
  r_stop_ticking
  r_code=125 r_signal=0 r_error=${r_error:-system}
  r_write_exit
  exit 125
}

# --- the process tree --------------------------------------------------------------------------------------------------------

# Prints the processes that carry this attempt's directory, without the runner: its key is that of equal tasks elsewhere, too. Zombies have no environment and are not among them.
r_marked() {
  for r_file in `grep -lszFx -- "FLOW_ATTEMPT_DIR=$r_dir" /proc/[0-9]*/environ 2>/dev/null`; do
    r_file=${r_file#/proc/}
    [ "${r_file%/environ}" = "$$" ] || printf '%s\n' "${r_file%/environ}"
  done
}

# Kills everything of this attempt. Again until nothing is found, because a process may fork while it is looked for; once more
# after that, because one that is about to become another program has no environment for a moment.
r_kill_tree() {
  r_pass=0 r_sure=1
  [ -z "$r_grouped" ] || ! kill -KILL "-$r_pid" 2>/dev/null || r_sure=
  while [ "$r_pass" -lt 100 ]; do
    r_pids=`r_marked`
    if [ -n "$r_pids" ]; then
      # shellcheck disable=SC2086 # a list of numbers
      kill -s KILL $r_pids 2>/dev/null
      r_sure=
    else
      [ -z "$r_sure" ] || return 0
      r_sure=1
    fi
    r_pass=$((r_pass + 1))
    sleep 0.02 2>/dev/null
  done
}

# Prints what the program left behind: also those of its group that are about to become another program and have no
# environment for a moment.
r_left() {
  {
    r_marked
    [ -z "$r_grouped" ] || grep -lsE "\) [^XZ] [0-9]+ $r_pid " /proc/[0-9]*/stat | cut -d / -f 3
  } | sort -u
}

# Ends what the program left behind and counts it.
r_sweep() {
  r_clock
  if [ -z "$r_grouped" ] || [ -n "$r_stopped" ] || [ $((r_cs - r_action_begin)) -ge 100 ] ||
    kill -0 "-$r_pid" 2>/dev/null; then
    for r_rest in `r_left`; do r_leaky=$((r_leaky + 1)); done
    r_kill_tree
  fi
}

r_sample() {
  r_sum=0
  for r_rest in `r_marked`; do
    while read -r r_word r_kib r_unit; do
      [ "$r_word" != VmRSS: ] || r_sum=$((r_sum + r_kib))
    done <"/proc/$r_rest/status"
  done 2>/dev/null
  [ "$r_sum" -le "${r_peak:-0}" ] || r_peak=$r_sum
}

# --- signals to the program --------------------------------------------------------------------------------------------------

r_signal_number() {
  case $1 in
    HUP) r_n=1 ;; INT) r_n=2 ;; QUIT) r_n=3 ;; KILL) r_n=9 ;; USR1) r_n=10 ;; USR2) r_n=12 ;; CONT) r_n=18 ;; *) r_n=15 ;;
  esac
}

# Sends signal $1 to process $2, once; past a shell that would die of it, and take the exit code along, to what runs below. Sets
# r_missed where it could not be heard: by a copy of this shell that is yet to become the program, by a program that ignores it
# as one does that is about to reset what it inherited, by a child that has ended before its shell goes on. Everything is
# decided by what is seen and nothing by a status: r_attend says why.
r_deliver() {
  r_read_stat "$2"
  r_name=${r_line#*"("}
  # With what is there already the parameters have the numbers that proc(5) gives the fields.
  # shellcheck disable=SC2086 # the fields are numbers
  set -- "$1" "$2" $r_fields
  case ${35:+read}/${3:-}/$2 in
    /*/"$r_pid" | */[ZX]/"$r_pid")
      kill -s "$1" "$2" 2>/dev/null
      return
      ;;
    /* | */[ZX]/*)
      r_missed=1
      return
      ;;
  esac
  case " $r_reached" in *" $2:${22} "*) return ;; esac
  r_signal_number "$1"
  # Forked and not yet another program (bit 6), and with traps: the shell's; what is caught (1), the name.
  case $(($9 >> 6 & 1))$((${34} >> (r_n - 1) & 1))/$2/${r_name%")"*} in
    11/"$r_pid"/*)
      r_missed=1
      return
      ;;
    10/"$r_pid"/*) ;;
    ?0/*/sh | ?0/*/dash | ?0/*/bash | ?0/*/ash | ?0/*/busybox | ?0/*/ksh* | ?0/*/mksh | ?0/*/zsh)
      r_kids=
      # Without a newline at its end.
      read -r r_kids <"/proc/$2/task/$2/children"
      case $r_kids/$r_were_idle in
        ?*/*)
          for r_rest in $r_kids; do r_deliver "$1" "$r_rest"; done
          return
          ;;
        *" $2 "*) ;;
        *)
          # It may be about to leave with the code of its last command.
          r_idle="$r_idle $2 " r_missed=1
          return
          ;;
      esac
      ;;
  esac
  kill -s "$1" "$2" 2>/dev/null
  case $((${33} >> (r_n - 1) & 1)) in
    0) r_reached="$r_reached$2:${22} " ;;
    *) r_missed=1 ;;
  esac
} 2>/dev/null

# Sends signal $1 to what has not had it yet.
r_look() {
  r_missed='' r_were_idle=$r_idle r_idle=''
  r_deliver "$1" "$r_pid"
}

# Has the program hear signal $1, and waits a moment for it to be able to.
r_tell() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    r_look "$1"
    case $r_missed in '') return ;; esac
    sleep 0.02 2>/dev/null
  done
}

# Passes a signal on that is no stop.
r_forward() {
  r_kept=$r_reached r_reached=''
  r_tell "$1"
  r_reached=$r_kept
}

# --- stop requests -----------------------------------------------------------------------------------------------------------

# Takes the reason out of the stop file that is there; `user` if it cannot be read.
r_read_stop_file() {
  for _ in 1 2 3 4 5; do
    r_line=
    read -r r_line <"$r_stop_file" 2>/dev/null
    case $r_line in *'}') break ;; esac
  done
  case $r_line in
    *'"reason":"'*)
      r_stopped=${r_line#*'"reason":"'}
      r_stopped=${r_stopped%%'"'*}
      ;;
    *) r_stopped=user ;;
  esac
}

# Creates the stop file whole; one that appeared meanwhile stays and names the reason.
r_create_stop_file() {
  r_unix=`date +%s`
  printf '{"reason":"%s","at":%s,"kill_at":%s}\n' "$r_stopped" "$r_unix" "$((r_unix + (r_kill_at - r_cs) / 100))" \
    >"$r_stop_file.$$" || return 0
  if ! ln "$r_stop_file.$$" "$r_stop_file" 2>/dev/null; then
    if [ -e "$r_stop_file" ]; then r_read_stop_file; else mv "$r_stop_file.$$" "$r_stop_file"; fi
  fi
  rm -f "$r_stop_file.$$"
}

# Has every signal noted.
r_listen() {
  for r_each in TERM INT HUP USR1 USR2 CONT ALRM; do
    # shellcheck disable=SC2064 # the name is wanted now
    trap "r_note $r_each" "$r_each"
  done
}

# Drops the signals that mean nothing more once a stop was asked for; what is started meanwhile does not hear them either.
r_be_deaf() {
  for r_each in TERM INT HUP USR1 USR2 CONT ALRM; do
    eval "r_means=\${flow_signal_$r_each:-}"
    case $r_means in forward) ;; *) trap '' "$r_each" ;; esac
  done
}

# r_stop REASON CAUSE: asks the program to stop; only the first request counts.
r_stop() {
  case $r_stopped in '') ;; *) return 0 ;; esac
  r_stopped=$1 r_cause=$2
  # A scheduler signals every process of a job, several times within milliseconds.
  r_be_deaf
  r_clock
  r_kill_at=$((r_cs + (flow_grace_ms + 9) / 10))
  r_stop_ticking
  if [ -e "$r_stop_file" ]; then
    r_read_stop_file
  else
    case $2 in
      signal:*)
        if [ -n "$flow_has_cause" ]; then
          # shellcheck disable=SC2046 # two words are wanted
          set -- `
            trap '' USR1
            flow_cause 2>/dev/null
          `
          r_stopped=${1:-$r_stopped}
          [ -z "${2:-}" ] || r_limit_kill "$2"
        fi
        ;;
    esac
    r_create_stop_file
  fi
  case $r_pid/$flow_stop_signal in
    /* | */none) ;;
    *)
      r_asking=1
      r_tell "$flow_stop_signal"
      ;;
  esac
  # bash would lose the program's end among them.
  [ -n "$r_bash" ] && [ -n "$r_pid" ] || r_listen
}

# Brings the kill forward to unix second $1.
r_limit_kill() {
  r_clock
  r_unix=`date +%s`
  r_limit=$((r_cs + ($1 - r_unix) * 100))
  [ "$r_limit" -ge "$r_kill_at" ] || r_kill_at=$r_limit
}

# --- waiting -----------------------------------------------------------------------------------------------------------------

# What every trap does. The work is done here and not after the wait, because a signal that comes just before a wait does not
# end it. Not so in bash, which loses the end of a child that comes together with a trapped signal: there nothing but a stop is
# ever a signal, and the work is done between two waits. r_busy keeps signals that come during the work, and while a program is
# being started, for the end of that. A trap is never '' because ignored signals are inherited.
r_note() {
  r_noted="$r_noted $1" r_woken=1
  [ -n "$r_bash" ] || r_catch_up
}

r_catch_up() {
  while [ -z "$r_busy" ] && [ -n "$r_noted" ]; do
    r_busy=1
    r_attend
    r_arm
    r_busy=
  done
}

# Wakes the runner after $1 centiseconds; in dash and its like every second from then on until the runner ends it, in bash, which
# waits for the ticker as for the program, once. A fresh shell, so that its $! can only be its own sleep, which it takes along.
# It is ended by VTALRM, which has no trap here: one that is trapped would be lost on a child that was forked a moment ago.
r_tick_after() {
  r_hundredths "$1"
  (
    # It has to outlive what a scheduler sends to every process: it is what wakes a runner that missed that.
    trap '' TERM INT HUP USR1 USR2 CONT
    unset FLOW_ATTEMPT_DIR
    [ -z "$r_bash" ] || exec sleep "$r_decimal"
    exec sh -c 'trap "kill -s KILL \$! 2>/dev/null; wait; exit 0" VTALRM
      sleep "$1" 2>/dev/null & wait "$!" || { sleep 1 & wait "$!"; }
      while kill -s ALRM "$2" 2>/dev/null; do sleep 1 & wait "$!"; done' sh "$r_decimal" "$$"
  ) </dev/null >/dev/null 2>&1 &
  r_ticker=$!
}

r_stop_ticking() {
  [ -n "$r_ticker" ] || return 0
  kill -s VTALRM "$r_ticker" 2>/dev/null
  wait "$r_ticker" 2>/dev/null
  r_ticker=
}

# Sets r_next to the sooner of r_next and $1 (centiseconds; empty: never).
r_sooner() {
  [ -z "$1" ] || { [ -n "$r_next" ] && [ "$r_next" -le "$1" ]; } || r_next=$1
}

# Starts a tick for whatever comes next: a look at the stop file, a timer, the end of the grace; in bash also because a stop may
# come just before a wait; and in every shell after a stop, because a child's end can be missed among many signals.
r_arm() {
  [ -z "$r_ticker" ] || return 0
  r_next=
  [ -z "$r_bash" ] || r_sooner "$((r_cs + 500))"
  if [ -n "$r_stopped" ]; then
    r_sooner "$((r_cs + 100))"
    r_sooner "$r_kill_at"
  else
    r_sooner "$r_timeout_at"
    r_sooner "$r_action_timeout_at"
    r_sooner "$r_deadline_at"
    [ "$flow_poll_ms" -eq 0 ] || r_sooner "$((r_cs + (flow_poll_ms + 9) / 10))"
  fi
  [ -n "$r_next" ] || return 0
  r_wait=$((r_next - r_cs))
  [ "$r_wait" -gt 0 ] || r_wait=1
  r_tick_after "$r_wait"
}

r_due() {
  [ -n "$1" ] && [ "$r_cs" -ge "$1" ]
}

r_obey() {
  eval "r_means=\$flow_signal_$1"
  case $r_means in
    ignore | '') ;;
    forward) [ -z "$r_pid" ] || r_forward "$1" ;;
    *) r_stop "$r_means" "signal:$1" ;;
  esac
}

# Acts on what woke the runner. In dash and busybox a trap that comes while another one works lends the command it came after
# the status that the first one began with: what was decided meanwhile counts for nothing and is decided again.
r_attend() {
  r_now=$r_noted r_noted=
  for r_name in $r_now; do
    case $r_name in
      ALRM)
        r_stop_ticking
        case $r_asking in ?*) r_look "$flow_stop_signal" ;; esac
        ;;
      *) r_obey "$r_name" ;;
    esac
  done
  r_clock
  r_decision=
  if [ -z "$r_stopped" ]; then
    if [ "$flow_poll_ms" -ne 0 ] && [ -e "$r_stop_file" ]; then
      r_decision='user file'
    elif r_due "$r_timeout_at" || r_due "$r_action_timeout_at"; then
      r_decision='timeout timer'
    elif r_due "$r_deadline_at"; then
      r_decision='deadline timer'
    fi
  elif r_due "$r_kill_at" && [ -n "$r_pid" ]; then
    r_decision=kill
  fi
  case $r_noted/$r_decision in
    ?*/* | /) ;;
    /kill)
      r_asking=
      case $r_cause in *+kill) ;; *) r_cause="$r_cause+kill" ;; esac
      r_kill_tree
      r_kill_at=$((r_cs + 100))
      ;;
    *)
      # shellcheck disable=SC2086 # two words are wanted
      r_stop $r_decision
      ;;
  esac
  [ -z "$r_peak_wanted" ] || r_sample
}

# Waits for the program and sets r_rc, through every interruption. An interrupted wait and a program killed by the same signal
# give the same number; asking again tells them apart, and 127 then means that the first answer was the real one.
r_wait_program() {
  r_rc=
  while :; do
    r_woken=
    wait "$r_pid"
    r_answer=$?
    if [ "$r_answer" -eq 127 ] && [ -n "$r_rc" ]; then return; fi
    r_rc=$r_answer
    [ -n "$r_woken" ] && [ "$r_rc" -gt 128 ] || return 0
  done
}

# The same in bash. What was lost all the same, with a stop in the very moment of the end, counts as ended by that stop.
r_bash_wait_program() {
  while kill -0 "$r_pid" 2>/dev/null; do
    # Older ones cannot wait for whichever ends first.
    case $BASH_VERSION in [123].* | 4.[012].*) sleep 1 ;; *) wait -n 2>/dev/null ;; esac
    [ -z "$r_ticker" ] || kill -0 "$r_ticker" 2>/dev/null || r_noted="$r_noted ALRM"
    r_catch_up
  done
  case " `jobs -rp` " in
    *[!0-9]"$r_pid"[!0-9]*) r_rc=143 ;;
    *)
      wait "$r_pid"
      r_rc=$?
      ;;
  esac
}

# A scheduler signals the processes of a job one after the other: what ended the program may be on its way to the runner.
r_await_own_signal() {
  case $r_rc in 129 | 130 | 138 | 140 | 143) ;; *) return 0 ;; esac
  r_catch_up
  for r_rest in 1 2 3 4 5; do
    [ -z "$r_stopped" ] || return 0
    sleep 0.2 2>/dev/null || sleep 1
    r_catch_up
  done
}

# --- one action --------------------------------------------------------------------------------------------------------------

# Becomes the program of action $1, in the child: environment, directory, then exec.
r_become() {
  export FLOW_ATTEMPT_KEY="$flow_key" FLOW_TASK_DIR="$r_dir" FLOW_EVENTS="$r_dir/events.0.jsonl" FLOW_STOP_FILE="$r_stop_file"
  export FLOW_GRACE="$(((flow_grace_ms + 999) / 1000))" FLOW_EXIT_REQUEUE=75
  [ -z "$r_deadline" ] || export FLOW_DEADLINE="$r_deadline"
  [ -z "$flow_tmp_dir" ] || export FLOW_TMP_DIR="$flow_tmp_dir" TMPDIR="$flow_tmp_dir"
  flow_env
  "flow_env_$1"
  export FLOW_ATTEMPT_DIR="$r_dir"
  if [ -n "${FLOW_CHECKPOINT_DIR:-}" ] && [ -z "$flow_resume" ]; then
    FLOW_RESUME=0
    for r_rest in "$FLOW_CHECKPOINT_DIR"/* "$FLOW_CHECKPOINT_DIR"/.[!.]*; do
      if [ -e "$r_rest" ]; then
        FLOW_RESUME=1
        break
      fi
    done
    export FLOW_RESUME
  fi
  [ -z "$flow_umask" ] || umask "$flow_umask"
  cd -- "$r_cwd" || exit 125
  # shellcheck disable=SC2086 # a prefix of plain words
  "flow_exec_$1" $r_prefix
}

r_refuse() {
  r_error=$1 r_code=125 r_signal=0
  printf 'flow: %s\n' "$2" >>"$flow_output/stderr"
}

# Runs action $1 to its end; sets r_code and r_signal. Returns 1 when the next one must not start.
r_run_action() {
  r_action=$1
  eval "r_cwd=\$flow_cwd_$1 r_stdin=\$flow_stdin_$1 r_action_ms=\$flow_timeout_ms_$1 r_ok=\$flow_ok_$1"
  case $r_cwd in '') r_cwd=$flow_cwd ;; esac
  case $r_stdin in '') r_stdin=/dev/null ;; esac
  if ! { [ -d "$r_cwd" ] && [ -x "$r_cwd" ]; }; then
    r_refuse cwd "the working directory $r_cwd is missing or closed"
    return 1
  elif ! [ -r "$r_stdin" ]; then
    r_refuse stdin "the input file $r_stdin is missing or closed"
    return 1
  fi
  r_clock
  r_action_begin=$r_cs r_action_timeout_at=
  [ -z "$r_action_ms" ] || r_action_timeout_at=$((r_cs + (r_action_ms + 9) / 10))
  r_busy=1
  [ -z "$r_bash" ] || set -m
  (r_become "$1") <"$r_stdin" >>"$flow_output/stdout" 2>>"$flow_output/stderr" &
  r_pid=$!
  [ -z "$r_bash" ] || set +m
  r_arm
  r_busy=
  r_catch_up
  "r_${r_bash}wait_program"
  r_asking=
  r_await_own_signal
  r_sweep
  # A stop may have come since; what runs in the end is not asked.
  r_pid='' r_asking=''
  [ -z "$r_bash" ] || [ -z "$r_stopped" ] || r_listen
  r_signal=0
  r_code=$r_rc
  if [ "$r_rc" -gt 128 ] && [ "$r_rc" -lt 193 ]; then r_signal=$((r_rc - 128)); fi
  for r_rest in $r_ok; do
    [ "$r_rc" -ne "$r_rest" ] || r_code=0 r_signal=0
  done
  [ "$r_code" -eq 0 ]
}

# How to give the program a process group of its own, and default dispositions for INT and QUIT, which a shell without job
# control ignores in its background. bash has job control without a terminal; it is on only while a program is started, because
# with it a wait ends when the program is merely stopped.
r_choose_prefix() {
  r_prefix='' r_grouped=''
  if [ -n "$r_bash" ]; then
    r_grouped=1
  elif command -v setsid >/dev/null 2>&1; then
    r_prefix=setsid r_grouped=1
  fi
  case ${flow_stop_signal}${r_bash:+ bash} in
    INT | QUIT)
      if env --default-signal=INT,QUIT true 2>/dev/null; then
        r_prefix="env --default-signal=INT,QUIT $r_prefix"
      else
        flow_stop_signal=TERM
      fi
      ;;
  esac
}

# --- the attempt -------------------------------------------------------------------------------------------------------------

r_read_spec() {
  r_error=spec
  flow_version='' flow_key='' flow_cwd=$r_dir flow_output=. flow_umask='' flow_tmp_dir='' flow_stop_file='' flow_resume=''
  flow_actions=0 flow_finally=0 flow_timeout_ms='' flow_deadline='' flow_stop_signal=TERM flow_grace_ms=60000 flow_poll_ms=0
  flow_has_cause='' flow_requeue_codes='' flow_requeue_exit='' flow_has_requeue=''
  flow_signal_TERM=shutdown flow_signal_INT=user flow_signal_HUP=ignore
  flow_signal_USR1='' flow_signal_USR2='' flow_signal_CONT=''
  [ -r "$r_spec" ] && . "$r_spec"
  [ "$flow_version" = 1 ] && [ -n "$flow_key" ] || {
    printf 'flow: %s is not a specification of version 1\n' "$r_spec" >>"$flow_output/stderr"
    exit 125
  }
  r_error=
  for r_name in TERM INT HUP USR1 USR2 CONT; do
    eval "r_means=\$flow_signal_$r_name"
    [ -n "$r_means" ] || trap - "$r_name"
  done
}

r_prepare() {
  r_stop_file=${flow_stop_file:-$r_dir/stop}
  case $flow_tmp_dir in '' | /*) ;; *) flow_tmp_dir=$r_dir/$flow_tmp_dir ;; esac
  r_peak_wanted=
  [ -z "$flow_timeout_ms" ] || r_timeout_at=$((r_begin + (flow_timeout_ms + 9) / 10))
  r_deadline=${flow_deadline:-${FLOW_DEADLINE:-}}
  if [ -n "$r_deadline" ]; then
    r_clock
    r_unix=`date +%s`
    r_deadline_at=$((r_cs + (${r_deadline%.*} - r_unix) * 100 - (flow_grace_ms + 9) / 10))
  fi
  [ "$flow_poll_ms" -eq 0 ] && [ -z "$flow_timeout_ms$r_deadline" ] || r_peak_wanted=1
  r_error=dirs
  flow_make_dirs 2>>"$flow_output/stderr" || exit 125
  r_error=
  r_choose_prefix
}

r_run_all() {
  r_number=0
  while [ "$r_number" -lt "$flow_actions" ]; do
    r_catch_up
    # From here on a signal waits until there is a program to tell.
    r_busy=1
    [ -z "$r_stopped" ] || {
      # Stopped between two actions: nobody was killed, but the attempt did not do its work.
      r_code=143 r_signal=15
      break
    }
    r_number=$((r_number + 1))
    r_run_action "$r_number" || break
  done
  r_busy=
  r_catch_up
  r_result="$r_code $r_signal $r_action $r_error"
  r_number=$flow_actions
  while [ "$r_number" -lt $((flow_actions + flow_finally)) ]; do
    case $r_cause in *+kill) break ;; esac
    r_number=$((r_number + 1))
    r_run_action "$r_number"
  done
  # shellcheck disable=SC2086 # words without blanks
  set -- $r_result
  r_code=$1 r_signal=$2 r_action=$3 r_error=${4:-} r_complete=1
}

# Speaks the scheduler's own protocol for "run me again" and leaves with the right status.
r_leave() {
  trap - EXIT
  case $r_stopped in user | pruned) exit "$r_code" ;; esac
  for r_rest in $flow_requeue_codes; do
    if [ "$r_code" -eq "$r_rest" ]; then
      [ -z "$flow_has_requeue" ] || flow_requeue
      exit "${flow_requeue_exit:-$r_code}"
    fi
  done
  exit "$r_code"
}

[ $# -ge 1 ] && [ $# -le 2 ] || r_usage "expected one or two arguments, got $#"
case $1 in /*) r_spec=$1 ;; *) r_spec=$PWD/$1 ;; esac
r_dir=${2:-${r_spec%/*}}
case $r_dir in /*) ;; *) r_dir=$PWD/$r_dir ;; esac
[ -d "$r_dir" ] || mkdir -p -- "$r_dir" || r_usage "cannot make the directory $r_dir"
cd -- "$r_dir" || r_usage "cannot enter the directory $r_dir"

r_bash=${BASH_VERSION:+bash_} r_noted='' r_busy=1 r_woken='' r_written='' r_pid='' r_ticker='' r_peak='' r_grouped=''
r_stopped='' r_cause='' r_asking='' r_reached='' r_idle='' r_error='' r_stop_file='' r_has_uptime='' r_up=- r_cs=0
[ ! -r /proc/uptime ] || r_has_uptime=1
r_timeout_at='' r_action_timeout_at='' r_deadline_at='' r_code=0 r_signal=0 r_action=0 r_leaky=0
r_listen
r_claim
trap r_give_up EXIT
r_read_spec
r_prepare
r_busy=
r_catch_up
r_complete=
r_run_all
r_busy=1
# A shell that has lost its place must not leave a success behind.
[ -n "$r_complete" ] || r_give_up
r_stop_ticking
[ -z "$flow_tmp_dir" ] || rm -rf -- "$flow_tmp_dir"
r_write_exit
r_leave
