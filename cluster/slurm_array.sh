#!/bin/sh
# An array of workers for one study:
#
#     facegrid launch study.yaml --no-run
#     sbatch --array=1-8 --gpus=1 cluster/slurm_array.sh studies/study
#
# Further arguments go to `facegrid work`, such as --where backbone=resnet34. A preempted task is requeued and goes on from the last
# checkpoint. Set FACEGRID if the command is not on the path of the nodes.
#SBATCH --job-name=facegrid
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60

if [ "$#" -lt 1 ]; then
    echo "usage: sbatch --array=1-N slurm_array.sh STUDY [options of facegrid work]" >&2
    exit 2
fi
exec "${FACEGRID:-facegrid}" work "$@"
