#!/bin/sh
# sh pilot.sh SUBMISSION IDLE NEED LIMIT: a batch job that takes one attempt after another from the submission's queue and runs
# each as a job of its own would. Taking is making a file that must not be there yet, which only one can do; nothing is started
# for it, nor for anything else on the way of a short task but the runner. It leaves when there was nothing to take for IDLE
# seconds, when less than NEED of its LIMIT seconds are left, when flow says that nothing more will come (there is no
# pilots.json any more), or when it is told to; what it has not taken others take. Every ten seconds it says in a file that it
# lives: a scheduler goes on listing a job whose node hangs.

here=${0%/*} base=$1 idle=$2 need=$3
export FLOW_NODE_SCRIPTS="$here"
. "$here/scheduler.sh"
child='' dir='' leaving='' none=0

uptime() { read -r now rest </proc/uptime && now=${now%.*}; }

pass_on() {
  leaving=$1
  [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null
}
trap 'pass_on TERM' TERM
trap 'pass_on USR2' USR2
# No scheduler can signal one task of many: once a second the stop file of the present one is looked for. And a signal is passed
# on again: the runner may not have been there yet, or not able to hear it, and takes no notice of a second one.
# Decided by what is seen and not by a status: where a signal comes while another one's trap works, dash may take a false one.
trap 'case $child in ?*)
  case $leaving in TERM | USR2) kill -s "$leaving" "$child" 2>/dev/null ;; esac
  for seen in "$dir"/sto[p]; do case $seen in */stop) kill -s TERM "$child" 2>/dev/null ;; esac; done ;; esac' ALRM
pulse() {
  trap 'kill "$!" 2>/dev/null; exit 0' TERM
  trap '' USR2
  beat=0
  while
    [ "$((beat % 10))" -ne 0 ] || printf '%s\n' "$beat" >"$base/beats/$job_id"
    beat=$((beat + 1))
    sleep 1 &
    wait "$!" && kill -s ALRM "$1"
  do :; done
}
pulse "$$" </dev/null >/dev/null 2>&1 &
pulse=$!

# True once the attempt is ours.
take() {
  set -C
  { printf '%s\n' "$job_id" >"../taken/$1"; } 2>/dev/null
  took=$?
  set +C
  return "$took"
}

# Whether there is still such a child: its number may have become that of somebody else's process.
is_ours() {
  kill -0 "$child" 2>/dev/null || return 1
  stat=
  read -r stat <"/proc/$child/stat"
  # What a signal has cut short says nothing.
  case ${stat##*") "} in ?" $$ "* | '' | ?) return 0 ;; *" "*" "*) return 1 ;; esac
} 2>/dev/null

run() {
  generation=${line%% *} attempt=${line#* }
  dir=$attempt/$generation.0
  [ ! -e "$attempt/stop" ] || return 0
  sh "$here/flow-runner.sh" "$here/incarnation.sh" "$dir" &
  child=$!
  # A signal ends a wait, not the attempt.
  while
    wait "$child"
    [ "$?" -gt 128 ] && is_ours
  do :; done
  child=
  for each in "$FLOW_NODE_TMP"/* "$FLOW_NODE_TMP"/.[!.]*; do
    [ ! -e "$each" ] || rm -rf -- "$each"
  done
}

# One folder for scratch files, emptied after each task that has used it.
FLOW_NODE_TMP=${TMPDIR:-/tmp}/flow.$job_id
mkdir -p -- "$FLOW_NODE_TMP" 2>/dev/null || {
  FLOW_NODE_TMP=/tmp/flow.$job_id
  mkdir -p -- "$FLOW_NODE_TMP"
}
export FLOW_NODE_TMP
. "$here/machine.sh"
FLOW_NODE_MACHINE=`job_machine </dev/null 2>/dev/null`
export FLOW_NODE_MACHINE

cd "$base/queue" || exit 96
uptime
end=$((now + $4))
while [ -z "$leaving" ] && [ "$none" -lt "$idle" ] && [ -e "$base/pilots.json" ]; do
  none=$((none + 1))
  for entry in *; do
    [ -e "$entry" ] && [ ! -e "../taken/$entry" ] || continue
    uptime
    [ "$((end - now))" -ge "$need" ] || leaving=1
    [ -z "$leaving" ] || break
    # Before it is taken: what has been taken flow clears away.
    { { read -r line && read -r line; } <"$entry"; } 2>/dev/null || continue
    take "$entry" || continue
    run
    none=0
  done
  [ "$none" -eq 0 ] || sleep 1
done
kill "$pulse" 2>/dev/null
rm -rf -- "$FLOW_NODE_TMP"
