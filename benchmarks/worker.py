"""The process of one contender: executes commands, one JSON line at a time, and reports how long they took.

Run as ``python -m benchmarks.worker '{"package": ..., "backend": ..., ...}'``.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

_ROWS_AT_ONCE = 30


def _peak() -> float:
    """Return the peak memory of the process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _seconds(function: Any, times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def _answer(make: Callable[[bool], Any], command: str) -> Any:
    command, _, metric = command.partition(" with ")
    contender = make(bool(metric))
    if command == "losses":
        return contender.losses(5)
    if command == "peak":
        return _peak()
    if command.endswith("_row"):
        return _seconds(getattr(contender, command), _ROWS_AT_ONCE)
    return _seconds(getattr(contender, command))


def main() -> None:
    """Create the contender, train a first step, then answer commands until the input ends."""
    # Output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    arguments = json.loads(sys.argv[1])

    from benchmarks.contenders import Contender

    contender = Contender(arguments["package"], arguments["backend"], arguments["compiled"])
    if "script" in arguments:
        from benchmarks import scripts

        answers.write(json.dumps(getattr(scripts, arguments["script"])(contender, **arguments["options"])) + "\n")
        return
    # A model without the metric; one with the metric is created for its first task.
    make = functools.cache(lambda metric: contender.make(arguments["workload"], metric, arguments["weights"]))
    make(False).first_step()
    answers.write(json.dumps("ready") + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(_answer(make, line.strip())) + "\n")


if __name__ == "__main__":
    main()
