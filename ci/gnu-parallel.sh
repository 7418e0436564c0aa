#!/usr/bin/env bash
# A folder of scenarios on one machine, each scenario a job of GNU parallel.
#
#     ci/gnu-parallel.sh [FOLDER [OPTION OF sigrace run]...]
#     ci/gnu-parallel.sh scenarios --skip wakeup --runs 500
#
# `sigrace run` alone uses all CPUs as well; this gives each scenario a log and a report of its own, and a `joblog`.
# RESULTS names the folder for them. SIGRACE names the command. JOBS is how many scenarios go at once.
set -euo pipefail

folder=${1:-scenarios}
shift $(($# > 0))
sigrace=${SIGRACE:-sigrace}
results=${RESULTS:-sigrace-results}
mkdir -p "$results"

# Into a file first, so that a refusal ends the script here, with its exit code.
"$sigrace" run --list "$folder" "$@" >"$results/names"

# One CPU for each scenario: the whole machine is used by having many of them.
status=0
parallel --jobs "${JOBS:-$(nproc)}" --joblog "$results/joblog" --results "$results/{#}/" \
    "$sigrace" run "$folder" --exact {} --jobs 1 --trace-dir "$results/traces" --format junit "$@" \
    :::: "$results/names" >/dev/null || status=$?
for job in "$results"/*/; do
    [[ ! -s $job/stdout ]] || cp "$job/stdout" "${job%/}.xml"
done

# parallel says how many jobs failed; this says how, the gravest first, by the exit codes of sigrace.
for code in 130 111 102 100 101 69; do
    if awk -F '\t' -v code="$code" 'NR > 1 && $7 == code { found = 1 } END { exit !found }' "$results/joblog"; then
        exit "$code"
    fi
done
exit "$status"
