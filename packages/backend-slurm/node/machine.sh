# What the node is, for the record; anything that cannot be said is left out.
job_machine() {
  echo "system=$(uname -srm)"
  while read -r job_line; do
    case $job_line in "model name"*) echo "cpu=${job_line#*: }" && break ;; esac
  done </proc/cpuinfo
  echo "cpus=$(getconf _NPROCESSORS_ONLN)"
  while read -r job_line; do
    case $job_line in MemTotal:*) echo "memory=${job_line#*:}" && break ;; esac
  done </proc/meminfo
  [ -z "${CUDA_VISIBLE_DEVICES:-}" ] ||
    nvidia-smi --query-gpu=name,uuid,driver_version,memory.total --format=csv,noheader,nounits | sed 's/^/gpu=/'
}
