"""Freed memory stays with the process, unless the user says otherwise."""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="only GNU's C library is asked to keep memory",
)

_MIB = 1 << 20
# Fills 48 MiB again and again; prints whether memory is kept, and the pages that came anew after the first time.
_PROGRAM = f"""
import resource
from polykeras.backends.host_memory import keep_freed_memory

kept = keep_freed_memory()
bytes(b"x") * (48 * {_MIB})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    b"x" * (48 * {_MIB})
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _run(**settings: str) -> tuple[bool, int]:
    plain = {name: value for name, value in os.environ.items() if "MALLOC" not in name and name != "GLIBC_TUNABLES"}
    program = [sys.executable, "-c", _PROGRAM]
    result = subprocess.run(program, env=plain | settings, capture_output=True, text=True, check=True)
    kept, pages = result.stdout.split()
    return kept == "True", int(pages)


def test_memory_that_was_freed_comes_again_without_the_system() -> None:
    kept, pages = _run()
    assert kept
    assert pages < 1000


@pytest.mark.parametrize(
    "settings", [{"MALLOC_MMAP_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}]
)
def test_a_user_who_sets_up_malloc_keeps_the_setting(settings: dict) -> None:
    kept, pages = _run(**settings)
    assert not kept
    assert pages > 1000
