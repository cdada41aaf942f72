#!/bin/sh
# sh requeue.sh MOST CHECKPOINT: the program asked to be run again; asks the scheduler to restart this very job when that is
# still allowed (MOST restarts, `-`: any number) and the work has gone on since the start: a newer file in the directory
# CHECKPOINT, or an event that says so. If not, the job ends with its code and flow decides. Started in the incarnation's
# directory. The file `requeue` tells flow that the result is not the end.

# A requeue signals every process of the job, this one too.
trap '' TERM USR1 USR2
here=${0%/*}
. "$here/scheduler.sh"
[ ! -e superseded ] || exit 0
[ "$1" = - ] || [ "$job_restart" -lt "$1" ] || exit 0
[ -n "$(find "$2" -newer started 2>/dev/null | head -n 1)" ] ||
  grep -qsE '"k": ?"(progress|checkpoint)"' events.0.jsonl || exit 0
: >requeue
job_requeue || {
  job_why_stopped >/dev/null
  rm -f requeue
}
