#!/bin/sh
# Says why this job is being stopped: `REASON [KILL_AT]`, or nothing when that is not known. What flow asked for stands in a
# file; otherwise the scheduler is asked once. Many jobs can be stopped in one moment, so the questions are spread over a second
# and only so many are asked at a time; who gets no turn goes by the signal. Started in the incarnation's
# directory. The file `superseded` says that the scheduler restarts the job whatever becomes of this incarnation.

here=${0%/*}
if read -r line 2>/dev/null <../stop; then
  reason=${line#*'"reason":"'}
  [ ! -e ../kill ] || now=' 0'
  printf '%s%s\n' "${reason%%'"'*}" "${now:-}"
  exit 0
fi
. "$here/scheduler.sh"
sleep "0.$(($$ % 10))"
turn=$here/asking.$(($$ % 8)) tries=10
until mkdir "$turn" 2>/dev/null || [ -n "$(find "$turn" -prune -mmin +1 2>/dev/null)" ]; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 0
  sleep 0.2
done
job_why_stopped
rmdir "$turn" 2>/dev/null
