# Stands for a training over several nodes that was written for Batch AI: it knows nothing of flow, finds its script on a
# share, its nodes in a host file, and leaves a model in the output named MODEL. Real programs are started over the nodes
# by `mpirun --hostfile $AZ_BATCHAI_MPI_HOST_FILE`; this one only counts them.
hosts=$(grep -c . "${AZ_BATCHAI_MPI_HOST_FILE:-/dev/null}")
echo "training on ${hosts:-1} nodes with $(ls "$AZ_BATCHAI_JOB_MOUNT_ROOT" | tr '\n' ' ')"
for epoch in 1 2 3; do
  sleep "${EPOCH_SECONDS:-0.5}"
  echo "epoch $epoch of 3"
done
mkdir -p "$AZ_BATCHAI_OUTPUT_MODEL"
echo "weights of ${hosts:-1} nodes" >"$AZ_BATCHAI_OUTPUT_MODEL/model.npz"
