#!/bin/sh
# An archive as a Slurm array: sixteen tasks share it, each paints every sixteenth shard.
#
#     chromagan archive INPUT -o OUTPUT --list-only
#     sbatch --array=1-16 --cpus-per-task=4 examples/archive/slurm.sh INPUT -o OUTPUT
#
# The same sbatch again goes on with what is left. Add --gpus-per-task=1 before the script's name, and --device cuda behind OUTPUT, for GPUs.
exec chromagan archive "$@" --here --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --processors "${SLURM_CPUS_PER_TASK:-1}" --quiet
