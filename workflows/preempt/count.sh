#!/bin/sh
# Counts to $1, a tenth of a second each, and survives preemption: the whole contract in POSIX sh.
set -eu
goal=$1
out=$2
state=${FLOW_CHECKPOINT_DIR:-.}/count
trap : TERM # the stop signal; the stop file says the same and is looked at between two steps

count=$(cat "$state" 2>/dev/null || echo 0)
[ "$count" -eq 0 ] || echo "resuming from $count"
while [ "$count" -lt "$goal" ]; do
  if [ -e "${FLOW_STOP_FILE:-/nonexistent}" ]; then
    echo "asked to stop at $count"
    exit "${FLOW_EXIT_REQUEUE:-75}"
  fi
  sleep "${PAUSE:-0.1}" || : # the signal may reach sleep as well
  count=$((count + 1))
  echo "$count" > "$state.tmp" && mv "$state.tmp" "$state"
  printf '{"k":"progress","done":%d,"total":%d}\n' "$count" "$goal" >> "${FLOW_EVENTS:-/dev/null}"
done
echo "$count" > "$out"
