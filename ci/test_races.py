"""Races of one's own programs as tests of pytest.

SIGRACE names the command, RESULTS the folder for traces. `races` is for a conftest.py, the tests below show how to ask.
"""

import json
import os
import subprocess
import sys

import pytest

SIGRACE = os.environ.get("SIGRACE", "sigrace")
RESULTS = os.environ.get("RESULTS", "sigrace-results")

# What sigrace says of its host, not of the program (exit codes of `sigrace --help`).
CANNOT_RUN_HERE = 69


def races(*words):
    """What `sigrace explore` finds: for each finding what is wrong, and the line that runs it again."""
    command = [SIGRACE, "explore", "--format", "json", "--trace-dir", RESULTS, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == CANNOT_RUN_HERE:
        pytest.skip(done.stderr)
    # What a person reads; pytest shows it where a test fails.
    print(done.stderr, file=sys.stderr)
    if done.returncode not in (0, 100):
        pytest.fail(f"sigrace ended with {done.returncode}: this says nothing of the program")
    searches = json.loads(done.stdout)["searches"]
    findings = [finding for search in searches if search["result"] for finding in search["result"]["findings"]]
    return [f"{finding['explanation']}\nreplay: {finding['replay']}" for finding in findings]


def test_shutdown_has_no_races():
    assert races("--send", "SIGTERM", "--", "./server") == []


@pytest.mark.parametrize("signal", ["SIGHUP", "SIGUSR1"])
def test_no_signal_is_lost(signal):
    assert races("--send", signal, "--", "./server") == []
