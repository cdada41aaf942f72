#!/bin/sh
# One attempt on a node of Azure Batch: sh support/node.sh [member], started in the task's working directory, where the service
# has put the archives (in a shared one for a task on several nodes; `member` then makes each of them ready). It claims the
# attempt, so that a node the service restarts it on finds it taken; unpacks; runs the runner; looks for stop requests and
# saves what must survive the node; and leaves one archive that the service uploads.
# Links to storage come in attempt/node.conf and go to their client through a pipe: arguments can be seen by others.
# Names: n_* is set in node.conf or here.

n_say() {
  printf 'flow: %s\n' "$1" >&2
}

# --- storage -----------------------------------------------------------------------------------------------------------------

n_python='
import os, sys, urllib.request, urllib.error
mode, url, path = sys.argv[1], sys.stdin.readline().strip(), sys.argv[2]
headers = {"x-ms-blob-type": "BlockBlob"}
if mode == "new": headers["If-None-Match"] = "*"
try:
    if mode == "get":
        with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as out:
            while True:
                block = answer.read(1 << 20)
                if not block: break
                out.write(block)
        print(200)
    else:
        headers["Content-Length"] = str(os.path.getsize(path))
        with open(path, "rb") as body:
            request = urllib.request.Request(url, body, headers, method="PUT")
            with urllib.request.urlopen(request, timeout=600) as answer: print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
except Exception:
    print("000")
'

# n_transfer get|put|new URL FILE: prints the HTTP status; 000 when there was no answer, nothing when there is no client.
n_transfer() {
  if command -v curl >/dev/null 2>&1; then
    n_mode=$1 n_url=$2 n_file=$3
    set -- -sS -w '%{http_code}' --connect-timeout 20 --max-time 900 -K -
    case $n_mode in
      get) set -- "$@" -o "$n_file" ;;
      new) set -- "$@" -o /dev/null -T "$n_file" -H 'x-ms-blob-type: BlockBlob' -H 'If-None-Match: *' ;;
      put) set -- "$@" -o /dev/null -T "$n_file" -H 'x-ms-blob-type: BlockBlob' ;;
    esac
    printf 'url = "%s"\n' "$n_url" | curl "$@" 2>/dev/null
  elif command -v python3 >/dev/null 2>&1; then
    printf '%s\n' "$2" | python3 -c "$n_python" "$1" "$3" 2>/dev/null
  fi
}

# n_get URL FILE: true when the file is there and whole.
n_get() {
  rm -f "$2.part"
  [ "$(n_transfer get "$1" "$2.part")" = 200 ] && [ -e "$2.part" ] && mv "$2.part" "$2"
}

# --- the claim ---------------------------------------------------------------------------------------------------------------

# True when this node has the attempt. 96: it has begun on another node; 97: nobody can tell.
n_take() {
  printf '%s %s %s\n' "${AZ_BATCH_NODE_ID:--}" "$$" "$(date +%s)" >claim
  n_try=0
  while [ "$n_try" -lt 8 ]; do
    case $(n_transfer new "$n_claim_url" claim) in
      2??) return 0 ;;
      '')
        n_say "neither curl nor python3 is on this node, so a restart or a stop request will not be noticed here"
        n_state_url=''
        return 0
        ;;
      409 | 412)
        # The answer to our own request may have been lost.
        n_get "$n_claim_url" claimed && cmp -s claim claimed && return 0
        n_say "this attempt has begun on another node, or was called off; it does not run here"
        exit 96
        ;;
      403) n_say "the link to storage has expired or is not accepted" && exit 97 ;;
    esac
    n_try=$((n_try + 1))
    sleep "$n_try"
  done
  n_say "storage cannot be reached"
  exit 97
}

# --- what survives the node ---------------------------------------------------------------------------------------------------

# Changes with what lies in the directories; busybox knows no exact times.
n_listing() {
  ls -lAR --time-style=full-iso out ckpt 2>/dev/null || ls -lAR out ckpt 2>/dev/null
}

# Leaves what was printed so far on a mount, where that was asked for.
n_copy_output() {
  [ -n "$n_stdouterr" ] || return 0
  mkdir -p "$n_stdouterr"
  for n_name in stdout stderr; do
    [ ! -e "attempt/$n_name" ] || cp "attempt/$n_name" "$n_stdouterr/$n_name.txt"
  done
}

# Saves checkpoints and outputs when they have changed since the last time.
n_save() {
  n_copy_output
  [ -n "$n_state_url" ] || return 0
  n_now=$(n_listing)
  [ "$n_now" != "$n_saved" ] || return 0
  tar -czf state.part out ckpt 2>/dev/null || return 0
  case $(n_transfer put "$n_state_url" state.part) in 2??) n_saved=$n_now ;; esac
  rm -f state.part
}

# Kills what carries this attempt's directory; its key is that of equal tasks of other projects on this node, too.
n_kill_marked() {
  for n_file in $(grep -lszFx -- "FLOW_ATTEMPT_DIR=$n_link/attempt" /proc/[0-9]*/environ 2>/dev/null); do
    n_file=${n_file#/proc/}
    kill -s KILL "${n_file%/environ}" 2>/dev/null
  done
}

# Takes a stop request that has come for the runner, which looks for the file.
n_look() {
  if [ -e killed ] || ! n_get "$n_stop_url" asked; then return; fi
  if [ ! -e attempt/stop ]; then
    cp asked attempt/stop.new
    mv attempt/stop.new attempt/stop
  fi
  case $(cat asked) in *'"kill":true'*) : >killed ;; esac
}

# Beside the program: stop requests, kills, and saving. It wakes the main process again and again, whose wait may have missed a
# signal or an end, and ends with it.
n_attend() {
  n_since=0
  while kill -s ALRM "$$"; do
    if [ -e killed ] && [ ! -e attempt/exit ]; then
      n_kill_marked
      sleep 0.2
      continue
    fi
    sleep "$n_stop_s"
    n_look
    n_since=$((n_since + 1))
    if [ "$n_since" -ge "$n_save_every" ]; then
      n_since=0
      n_save
    fi
  done
}

# --- before and after --------------------------------------------------------------------------------------------------------

# n_place NAME: makes the directory out or ckpt, on the mount where there is one.
n_place() {
  [ ! -L "$1" ] || return 0
  mkdir -p "$1"
  [ -n "$n_state_mount" ] || return 0
  n_dir=$AZ_BATCH_NODE_MOUNTS_DIR/$n_state_mount/$1
  [ "$1:$n_fresh" != ckpt:1 ] || rm -rf "$n_dir"
  mkdir -p "$n_dir" && rmdir "$1" && ln -s "$n_dir" "$1"
}

# n_extract ARCHIVE [TAR-OPTION…]: unpacks an archive that is here or among those of all nodes; nothing without one.
n_extract() {
  n_file=$1
  shift
  [ -e "$n_file" ] || n_file=${AZ_BATCH_TASK_SHARED_DIR:-.}/$n_file
  [ ! -e "$n_file" ] || tar -xf "$n_file" "$@"
}

n_unpack() {
  mkdir -p project
  n_extract code.tar -C project && n_extract inputs.tar.gz -z -C project && n_extract state.tar.gz -z || return
  [ -z "$n_mounted" ] || ln -sfn "${AZ_BATCH_NODE_MOUNTS_DIR:?the pool has no mounts}" mounts || return
  n_place out && n_place ckpt || return
  [ -z "$n_ckpt_link" ] || {
    mkdir -p "project/${n_ckpt_link%/*}" && rm -rf "project/$n_ckpt_link" && ln -s "$PWD/ckpt" "project/$n_ckpt_link"
  } || return
  # A name that is known before the node is: every path of the attempt begins with it.
  rm -f "$n_link"
  ln -s "$PWD" "$n_link"
}

n_deliver_files='
n_into=$1 n_own=$2
shift 2
for n_file; do
  n_to=$n_into/$n_file n_new=$n_into/$n_file.$n_own
  cmp -s "$n_file" "$n_to" && continue
  mkdir -p "${n_to%/*}" && cp "$n_file" "$n_new" || exit
  # Who reads the file that another attempt has just brought may keep it open.
  mv -f "$n_new" "$n_to" 2>/dev/null || { cmp -s "$n_new" "$n_to" && rm -f "$n_new"; } || exit
done
'

# n_deliver FOLDER MARK DIGEST URL: brings the files of an archive to a mount, unless the mark tells that they lie there. Others
# may do the same at once, so each file is put in its place whole; every user of the mount may read, and bring the next.
# 97: the archive cannot be had.
n_deliver() {
  n_dir=$AZ_BATCH_NODE_MOUNTS_DIR/$1 n_own=${AZ_BATCH_TASK_ID:-$$}
  [ "$(cat "$n_dir/$2" 2>/dev/null)" != "$3" ] || return 0
  rm -rf delivery && mkdir delivery || return
  n_get "$4" delivery.tar.gz || return 97
  (
    umask 000
    tar -xzf delivery.tar.gz -C delivery && chmod -R a+rX delivery && cd delivery || exit
    find . -type f -exec sh -c "$n_deliver_files" sh "$n_dir" "$n_own" {} + || exit
    printf '%s\n' "$3" >"$n_dir/$2.$n_own" && mv -f "$n_dir/$2.$n_own" "$n_dir/$2"
  ) || return
  rm -rf delivery delivery.tar.gz
}

# Leaves with 98 where another node would not help.
n_deliver_all() {
  [ -e attempt/deliveries ] || return 0
  while read -r n_folder n_mark n_digest n_url; do
    n_deliver "$n_folder" "$n_mark" "$n_digest" "$n_url" </dev/null
    case $? in
      0) ;;
      97)
        n_say "the uploads for the mount \`$n_folder\` cannot be fetched from storage"
        exit 97
        ;;
      *)
        n_say "the uploads for the mount \`$n_folder\` cannot be copied there; is it full, or read-only?"
        exit 98
        ;;
    esac
  done <attempt/deliveries
}

# Says who takes part, for a task on several nodes. Processes are dealt out evenly, the first nodes get what is left over.
n_tell_hosts() {
  printf '%s\n' "$AZ_BATCH_HOST_LIST" | tr ',' '\n' >attempt/hosts
  FLOW_NODES=$(grep -c . attempt/hosts)
  read -r MASTER_ADDR <attempt/hosts
  # The service's own port is taken on the first node, so programs meet at the next.
  n_port=${AZ_BATCH_MASTER_NODE##*:}
  MASTER_PORT=$((${n_port:-6000} + 1))
  FLOW_HOSTFILE=$n_link/attempt/hosts FLOW_NODE_RANK=0
  export FLOW_NODES FLOW_NODE_RANK FLOW_HOSTFILE MASTER_ADDR MASTER_PORT
  export AZ_BATCHAI_MPI_HOST_FILE="$FLOW_HOSTFILE" AZ_BATCHAI_WORKER_HOSTS="$AZ_BATCH_HOST_LIST"
  [ -n "$n_processes" ] || return 0
  n_each=$((n_processes / FLOW_NODES)) n_over=$((n_processes % FLOW_NODES))
  while read -r n_host; do
    printf '%s slots=%s\n' "$n_host" "$((n_each + (n_over > 0 ? 1 : 0)))"
    n_over=$((n_over - 1))
  done <attempt/hosts >attempt/hosts.mpi
  export FLOW_WORLD_SIZE="$n_processes" AZ_BATCHAI_MPI_HOST_FILE="$n_link/attempt/hosts.mpi"
}

# Everything flow wants back, in one archive. Names of outputs may be patterns.
n_pack() {
  {
    for n_file in attempt/started attempt/exit attempt/stdout attempt/stderr attempt/*.jsonl; do
      [ ! -e "$n_file" ] || printf '%s\n' "$n_file"
    done
    [ -n "$n_state_mount" ] || printf '%s\n' out ckpt
    while IFS= read -r n_file; do
      (
        cd project || exit
        IFS=
        # shellcheck disable=SC2086 # patterns are wanted
        for n_file in $n_file; do
          [ ! -e "$n_file" ] || printf 'project/%s\n' "$n_file"
        done
      )
    done <attempt/outputs
  } >wanted
  tar -czf result.part -T wanted && mv result.part result.tar.gz
}

. ./attempt/node.conf || exit 97
umask 077
if [ "${1:-}" = member ]; then
  n_unpack || exit 97
  exit 0
fi
n_take
n_unpack || {
  n_say "an archive cannot be unpacked here; is the disk full?"
  exit 97
}
n_deliver_all
if [ -e secrets ]; then
  . ./secrets
  rm -f secrets
fi
[ -z "${AZ_BATCH_HOST_LIST:-}" ] || n_tell_hosts
export FLOW_DEADLINE="$(($(date +%s) + n_limit_s))"
export FLOW_JOB_ID="${AZ_BATCH_JOB_ID:-}/${AZ_BATCH_TASK_ID:-}"
n_saved=$(n_listing)
n_runner='' n_asked=''
# Again and again: a runner that has just been forked cannot hear it yet, and one that has heard it takes no notice.
trap 'case $n_asked/$n_runner in 1/?*) kill -s TERM "$n_runner" 2>/dev/null ;; esac' ALRM
trap 'n_asked=1; [ -z "$n_runner" ] || kill -s TERM "$n_runner" 2>/dev/null' TERM INT
n_attend </dev/null >/dev/null 2>&1 &
n_attending=$!
sh "$n_link/support/flow-runner.sh" "$n_link/attempt/spec.sh" &
n_runner=$!
[ -z "$n_asked" ] || kill -s TERM "$n_runner" 2>/dev/null
n_rc=
while :; do
  wait "$n_runner"
  n_rc=$?
  kill -0 "$n_runner" 2>/dev/null || break
done
# A signal must not end the packing; and bash can lose the end of a child that comes together with a trapped one.
trap '' TERM INT ALRM
kill "$n_attending" 2>/dev/null
# For the same reason the wait may have given the signal's number and not the runner's.
if read -r n_line <attempt/exit; then
  n_line=${n_line#code=}
  n_rc=${n_line%% *}
fi 2>/dev/null
n_kill_marked
n_copy_output
n_pack || n_say "the results cannot be packed; is the disk full?"
rm -f "$n_link"
# A program may have left with what this script keeps for itself; its own record tells.
case $n_rc in 96 | 97) n_rc=1 ;; esac
exit "$n_rc"
