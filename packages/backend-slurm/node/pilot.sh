#!/bin/sh
# sh pilot.sh SUBMISSION IDLE NEED LIMIT: a batch job that takes one attempt after another from the submission's queue and runs
# each as a job of its own would. Taking is renaming, which only one can do. It leaves when there was nothing to take for IDLE
# seconds, when less than NEED of its LIMIT seconds are left, or when it is told to; what it has not taken others take.

here=${0%/*} base=$1 idle=$2 need=$3
export FLOW_NODE_SCRIPTS="$here"
. "$here/scheduler.sh"
child='' leaving='' none=0

uptime() { read -r now rest </proc/uptime && now=${now%.*}; }

pass_on() {
  leaving=1
  [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null
}
trap 'pass_on TERM' TERM
trap 'pass_on USR2' USR2

run() {
  read -r line <"../taken/$1"
  generation=${line%% *} attempt=${line#* }
  dir=$attempt/$generation.0
  [ ! -e "$attempt/stop" ] || return 0
  mkdir -p -- "$dir"
  printf '%s\n' "$job_id" >"$dir/pilot"
  ln -s ../stdout ../stderr "$dir" 2>/dev/null
  sh "$here/flow-runner.sh" "$here/incarnation.sh" "$dir" &
  child=$!
  # A signal ends a wait, not the attempt.
  while
    wait "$child"
    kill -0 "$child" 2>/dev/null
  do :; done
  child=
}

cd "$base/queue" || exit 96
uptime
end=$((now + $4))
while [ -z "$leaving" ] && [ "$none" -lt "$idle" ]; do
  none=$((none + 1))
  for each in *; do
    [ -e "$each" ] || continue
    uptime
    [ "$((end - now))" -ge "$need" ] || leaving=1
    [ -z "$leaving" ] || break
    mv "$each" "../taken/$each" 2>/dev/null || continue
    run "$each"
    none=0
  done
  [ "$none" -eq 0 ] || sleep 1
done
