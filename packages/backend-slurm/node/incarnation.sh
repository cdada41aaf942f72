# The specification that the runner reads in a batch job: that of the attempt, and what only the node knows. It is sourced in
# the incarnation's directory. Names: flow_* belongs to the runner, job_* to the scheduler's script and to the attempt's
# specification.

. ../spec.sh
job_scripts=$FLOW_NODE_SCRIPTS
unset FLOW_NODE_SCRIPTS
. "$job_scripts/scheduler.sh"

# Why the incarnation before this one ended, from what it left behind.
job_why_restarted() {
  job_before=../${PWD##*/}
  job_before=${job_before%.*}.$((job_restart - 1))
  job_line=
  [ ! -r "$job_before/exit" ] || read -r job_line <"$job_before/exit"
  case $job_line in
    *stopped=deadline*) echo deadline ;;
    *stopped=[!-]*) echo preempt ;;
    *) if [ -e "$job_before/requeue" ]; then echo requeue; else echo host-lost; fi ;;
  esac
}

FLOW_ATTEMPT=$((job_attempt + job_restart))
FLOW_RESTART_COUNT=$((FLOW_ATTEMPT - 1))
FLOW_RESTART_REASON=$job_reason
[ "$job_restart" -eq 0 ] || FLOW_RESTART_REASON=$(job_why_restarted)
FLOW_JOB_ID=$job_id
export FLOW_ATTEMPT FLOW_RESTART_COUNT FLOW_RESTART_REASON FLOW_JOB_ID
job_export_grants

# The sooner of the scheduler's limit and the task's own; the grace of the latter comes after its time.
job_now=
for job_rest in $job_seconds $job_timeout; do
  job_now=${job_now:-$(date +%s)}
  job_rest=$((job_now + job_rest))
  [ -n "$job_end" ] && [ "$job_end" -le "$job_rest" ] || job_end=$job_rest
done
flow_deadline=$job_end
# All incarnations of an attempt add to the same two files.
flow_output=..

# A pilot has one for all it runs, and asks the node once what it is.
if [ -n "${FLOW_NODE_TMP:-}" ]; then
  export FLOW_TMP_DIR="$FLOW_NODE_TMP" TMPDIR="$FLOW_NODE_TMP"
  unset FLOW_NODE_TMP
else
  flow_tmp_dir=${TMPDIR:-/tmp}/flow.$job_id.$job_restart
  mkdir -p -- "$flow_tmp_dir" 2>/dev/null || {
    flow_tmp_dir=/tmp/flow.$job_id.$job_restart
    mkdir -p -- "$flow_tmp_dir"
  }
fi

if [ -n "${FLOW_NODE_MACHINE:-}" ]; then
  printf '%s\n' "$FLOW_NODE_MACHINE" 2>/dev/null >machine || :
  unset FLOW_NODE_MACHINE
else
  . "$job_scripts/machine.sh"
  job_machine </dev/null >machine 2>/dev/null || :
fi
