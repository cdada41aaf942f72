#!/bin/sh
# What flow needs of SLURM's commands, played on this machine without a daemon: linked as sbatch, squeue, scancel, scontrol, sacct
# and sinfo. A job is a session of processes. FAKE_SLURM is the folder of its state. The shell text FAKE_SLURM/before.COMMAND runs
# first and may delay, replace or spoil an answer; FAKE_SLURM/version is what --version prints.

command=${0##*/}
here=$PWD
cd "$FAKE_SLURM" || exit 1
[ ! -e "before.$command" ] || . "./before.$command"

say() { printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1"; }

# The folders of the jobs that a number or NUMBER_INDEX names.
jobs_of() {
  case $1 in *_*) set -- "jobs/${1%_*}.${1#*_}" ;; *) set -- "jobs/$1".* ;; esac
  for job; do [ ! -d "$job" ] || printf '%s\n' "$job"; done
}

# Signals every process of a job, as SLURM does.
signal_all() {
  for file in $(grep -lszFx -- "FAKE_JOB=$FAKE_SLURM/$2" /proc/[0-9]*/environ 2>/dev/null); do
    file=${file#/proc/}
    kill -s "$1" "${file%/environ}" 2>/dev/null
  done
}

# Runs a job to its end, again and again while it is requeued meanwhile. $1: its folder
play() {
  number=${1#jobs/} restarts=0
  index=${number#*.} number=${number%.*}
  export FAKE_JOB="$FAKE_SLURM/$1" SLURM_JOB_ID="$number" SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=n1
  [ "$index" = N ] || export SLURM_ARRAY_JOB_ID="$number" SLURM_ARRAY_TASK_ID="$index"
  while :; do
    if [ -e "$1/cancelled" ]; then break; fi
    rm -f "$1/requeue"
    (
      export SLURM_RESTART_COUNT="$restarts"
      read -r directory <"$1/cwd" && read -r log <"$1/log" && script=$PWD/jobs/$number.script
      cd "$directory" && exec setsid sh "$script" >>"$log" 2>&1 </dev/null
    ) &
    say "$1/pid" "$!"
    say "$1/state" RUNNING
    wait "$!"
    code=$?
    [ -e "$1/requeue" ] || break
    restarts=$((restarts + 1))
    say "$1/restarts" "$restarts"
    say "$1/state" PENDING
    sleep 0.2
  done
  if [ -e "$1/cancelled" ]; then
    say "$1/state" CANCELLED
  elif [ "${code:-0}" -eq 0 ]; then
    say "$1/state" COMPLETED
  else
    say "$1/state" FAILED
  fi
}

submit() {
  last=N name=job log=/dev/null
  for each; do
    case $each in
      --version) cat version && exit ;;
      --test-only)
        echo "sbatch: Job 1 to start at 2026-11-21T13:55:21 using 1 processors on nodes n1 in partition low" >&2
        exit
        ;;
      --array=0-*) last=${each#--array=0-} ;;
      --job-name=*) name=${each#*=} ;;
      --output=*) log=${each#*=} ;;
    esac
  done
  number=1
  mkdir -p jobs
  until mkdir "jobs/$number" 2>/dev/null; do number=$((number + 1)); done
  cat >"jobs/$number.script"
  index=0
  [ "$last" != N ] || index=N
  while :; do
    job=jobs/$number.$index
    # Under a name that no list of jobs finds.
    mkdir "jobs/.$number.$index"
    for pair in "name=$name" "log=$log" "cwd=$here" restarts=0 state=PENDING; do
      printf '%s\n' "${pair#*=}" >"jobs/.$number.$index/${pair%%=*}"
    done
    mv "jobs/.$number.$index" "$job"
    # Not a plain call: dash would keep a copy of what it redirects, and whoever reads the answer would wait for the job.
    (play "$job") </dev/null >/dev/null 2>&1 &
    [ "$index" != "$last" ] || break
    index=$((index + 1))
  done
  echo "$number"
}

list() {
  for job in jobs/*.*; do
    [ -e "$job/state" ] || continue
    read -r name <"$job/name" && read -r state <"$job/state" && read -r restarts <"$job/restarts"
    number=${job#jobs/}
    index=${number#*.}
    [ "$index" != N ] || index=N/A
    why=None
    [ "$state" != PENDING ] || why=Priority
    echo "${number%.*}|$index|$restarts|$state|$why|n1|$name|"
  done
}

cancel() {
  signal='' only=''
  for each; do
    case $each in
      --state=*) only=${each#*=} ;;
      --signal=*) signal=${each#*=} ;;
      --batch) ;;
      *)
        for job in $(jobs_of "$each"); do
          read -r state <"$job/state"
          case $state in COMPLETED | FAILED | CANCELLED) continue ;; esac
          [ -z "$only" ] || [ "$only" = "$state" ] || continue
          if [ -n "$signal" ]; then
            read -r pid <"$job/pid" && kill -s "$signal" "$pid" 2>/dev/null
          else
            : >"$job/cancelled"
            signal_all TERM "$job"
            (sleep 1 && signal_all KILL "$job") >/dev/null 2>&1 &
          fi
        done
        ;;
    esac
  done
}

control() {
  case $* in
    "show config") echo "MaxArraySize            = 1001" ;;
    requeue\ *)
      for job in $(jobs_of "$2"); do
        : >"$job/requeue"
        signal_all TERM "$job"
      done
      ;;
    "-o show job "*)
      for job in $(jobs_of "$4"); do
        read -r state <"$job/state" && read -r restarts <"$job/restarts"
        [ ! -e "$job/cancelled" ] || state=COMPLETING
        echo "JobId=$4 JobState=$state Reason=None Restarts=$restarts PreemptTime=None EndTime=Unknown"
      done
      ;;
  esac
}

case $command in
  sbatch) submit "$@" ;;
  squeue) list ;;
  scancel) cancel "$@" ;;
  scontrol) control "$@" ;;
  sinfo) echo "low*|infinite" ;;
  sacct)
    echo "Slurm accounting storage is disabled" >&2
    exit 1
    ;;
esac
