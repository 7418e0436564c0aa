#!/usr/bin/env bash
#SBATCH --job-name=sigrace
#SBATCH --array=1-8
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00
#
# A folder of scenarios as a Slurm array, from the folder that holds it:
#
#     sbatch ci/slurm-array.sh [FOLDER [OPTION OF sigrace run]...]
#     SPLIT=scenarios sbatch ci/slurm-array.sh
#
# SPLIT=seed (the default): every task runs all scenarios with a seed of its own, so each draws other random schedules.
# SPLIT=scenarios: every task runs each n-th scenario, all with the same seed, so each scenario is run once.
# RESULTS names the folder for reports and traces, one that all nodes see. SIGRACE names the command.
set -euo pipefail

folder=${1:-scenarios}
shift $(($# > 0))
sigrace=${SIGRACE:-sigrace}
task=${SLURM_ARRAY_TASK_ID:?"not a task of an array: use sbatch --array"}
results=${RESULTS:-sigrace-results}/${SLURM_ARRAY_JOB_ID:-array}/$task
mkdir -p "$results"

case ${SPLIT:-seed} in
    seed)
        exec "$sigrace" run "$folder" --seed "$task" \
            --trace-dir "$results/traces" --format junit "$@" >"$results/report.xml"
        ;;
    scenarios)
        # Counts from the array's first task, in steps of 1.
        turn=$((task - ${SLURM_ARRAY_TASK_MIN:-1}))
        count=${SLURM_ARRAY_TASK_COUNT:?"how many tasks the array has"}
        "$sigrace" run --list "$folder" "$@" >"$results/names"
        mapfile -t names < <(awk -v turn="$turn" -v count="$count" '(NR - 1) % count == turn' "$results/names")
        if ((${#names[@]} == 0)); then
            echo "no scenario is left for task $task of $count"
            exit 0
        fi
        exec "$sigrace" run "$folder" --exact "${names[@]}" \
            --trace-dir "$results/traces" --format junit "$@" >"$results/report.xml"
        ;;
    *)
        echo "SPLIT is seed or scenarios, not $SPLIT" >&2
        exit 2
        ;;
esac
