#!/bin/sh
# sh member.sh SUBMISSION: what a batch job starts. Finds its own line in the submission's index and becomes the runner of that
# attempt. Each restart by the scheduler gets a directory of its own, GENERATION.RESTART, so an old copy that still runs on a
# node that was given up writes its claim and its result where nobody looks for them.

here=${0%/*}
. "$here/scheduler.sh"
line=$(sed -n "$((job_index + 1))p" "$1/index")
generation=${line%% *} attempt=${line#* }
if [ -z "$line" ] || [ ! -d "$attempt" ]; then
  printf 'flow: %s cannot be seen on %s: the project must lie on a file system that the nodes share\n' \
    "${attempt:-$1/index}" "$(uname -n)" >&2
  exit 96
fi
[ ! -e "$attempt/stop" ] || exit 0
dir=$attempt/$generation.$job_restart
mkdir -p -- "$dir"
ln -s "../events.$job_restart.jsonl" "$dir/events.0.jsonl" 2>/dev/null
export FLOW_NODE_SCRIPTS="$here"
exec sh "$here/flow-runner.sh" "$here/incarnation.sh" "$dir"
