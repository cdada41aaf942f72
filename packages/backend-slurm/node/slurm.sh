# What the job scripts need of SLURM; a copy of this file is their scheduler.sh.

job_id=$SLURM_JOB_ID
# An element of an array is named by the array: the number of the last element is that of the whole array.
[ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job_id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
job_index=${SLURM_ARRAY_TASK_ID:-0}
job_restart=${SLURM_RESTART_COUNT:-0}
# Unix seconds of the time limit, where SLURM is new enough to say.
job_end=${SLURM_JOB_END_TIME:-}

job_requeue() { scontrol requeue "$job_id"; }

# Exports what SLURM has granted. MASTER_PORT is the same on all nodes because it follows from the job's number.
job_export_grants() {
  if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    job_rest=$(printf %s "$CUDA_VISIBLE_DEVICES" | tr -cd ,)
    export FLOW_GPUS="$CUDA_VISIBLE_DEVICES" FLOW_GPU_COUNT=$((${#job_rest} + 1)) CUDA_DEVICE_ORDER=PCI_BUS_ID
  fi
  [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ] || return 0
  scontrol show hostnames "$SLURM_JOB_NODELIST" >hosts
  read -r MASTER_ADDR <hosts
  export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000)) FLOW_HOSTFILE="$PWD/hosts"
  export FLOW_NODES="$SLURM_JOB_NUM_NODES" FLOW_NODE_RANK=0
}

# Prints `REASON [KILL_AT]`. A job whose restart count has gone up has been taken from here already: it is superseded.
job_why_stopped() {
  job_text=$(SLURM_TIME_FORMAT=standard timeout 20 scontrol -o show job "$SLURM_JOB_ID" 2>/dev/null) || return 0
  job_state='' job_why='' job_restarts='' job_preempted='' job_ends=''
  # shellcheck disable=SC2086 # words are wanted
  for job_rest in $job_text; do
    case $job_rest in
      JobState=*) job_state=${job_rest#*=} ;;
      Reason=*) job_why=${job_rest#*=} ;;
      Restarts=*) job_restarts=${job_rest#*=} ;;
      PreemptTime=*) job_preempted=${job_rest#*=} ;;
      EndTime=*) job_ends=$(date -d "${job_rest#*=}" +%s 2>/dev/null) ;;
    esac
  done
  if [ "${job_restarts:-0}" -gt "$job_restart" ]; then
    : >superseded
    echo preempt
    return
  fi
  case $job_state:$job_why:${job_preempted:-None} in
    RUNNING:*:None) echo "deadline $job_ends" ;;
    RUNNING:*) echo "preempt $job_ends" ;;
    *:TimeLimit:*) echo deadline ;;
    COMPLETING:*:None | CANCELLED:*:None) echo user ;;
    PREEMPTED:* | COMPLETING:*) echo preempt ;;
  esac
}
