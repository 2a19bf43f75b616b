#!/bin/bash
# One launch on all nodes of a Slurm job, with a Ray of its own that ends with the job:
#
#     sbatch --nodes=4 --gpus-per-node=4 --cpus-per-task=32 cluster/slurm_ray.sh study.yaml launch.study=/shared/studies/study
#
# The arguments go to `facegrid launch`. A requeued job goes on from the last checkpoints. Where cells fit on one GPU,
# slurm_array.sh needs no allocation of several nodes at once. Set FACEGRID and RAY if the commands are not on the nodes' path,
# and FACEGRID_RAY_PORT if two jobs share a node.
#SBATCH --job-name=facegrid
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -eu

if [ "$#" -lt 1 ]; then
    echo "usage: sbatch --nodes=N slurm_ray.sh GRID [arguments of facegrid launch]" >&2
    exit 2
fi
export RAY_USAGE_STATS_ENABLED=0 OMP_NUM_THREADS=1
export PATH="${RAY:+$(dirname "$RAY"):}$PATH" # symmetric-run itself calls `ray`
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=${FACEGRID_RAY_PORT:-6379}
address=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --all-ip-addresses | awk '{print $1}'):$port
srun --ntasks-per-node=1 ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}" -- \
    "${FACEGRID:-facegrid}" launch "$@" --address "$address" &
job=$!
trap 'kill -TERM "$job"' TERM
code=0
wait "$job" || code=$?
wait "$job" || code=$? # after a signal, until the launch has ended
exit "$code"
