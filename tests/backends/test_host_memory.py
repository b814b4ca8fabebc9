"""Freed memory stays with the process, unless the user says otherwise; large arrays are copied once."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

_where_memory_is_kept = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="only GNU's C library is asked to keep memory",
)

_MIB = 1 << 20
# Fills 48 MiB again and again; prints whether memory is kept, and the pages that came anew after the first time.
_PROGRAM = f"""
import resource
from polykeras.backends.shared.host_memory import keep_freed_memory

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


@_where_memory_is_kept
def test_memory_that_was_freed_comes_again_without_the_system() -> None:
    kept, pages = _run()
    assert kept
    assert pages < 1000


@_where_memory_is_kept
@pytest.mark.parametrize(
    "settings", [{"MALLOC_MMAP_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}]
)
def test_a_user_who_sets_up_malloc_keeps_the_setting(settings: dict) -> None:
    kept, pages = _run(**settings)
    assert not kept
    assert pages > 1000


# Prints the memory, in parts of the array's own, that the backend's array of it takes.
_ARRAY_PROGRAM = """
import sys
import numpy as np, psutil
from polykeras import backends

backend = backends.load(sys.argv[1])
backend.array(np.ones((1000,), "float32"))
x = np.ones((1 << 20, 32), "float32")
before = psutil.Process().memory_info().rss
y = backend.array(x)
print((psutil.Process().memory_info().rss - before) / x.nbytes, backend.to_numpy(y).sum() == x.size)
"""


def test_a_large_array_is_copied_once_at_most(backend) -> None:
    program = [sys.executable, "-c", _ARRAY_PROGRAM, backend.name]
    result = subprocess.run(program, capture_output=True, text=True, check=True)
    copies, is_whole = result.stdout.split()
    assert is_whole == "True"
    assert float(copies) < 1.2


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8", ">f4"])
def test_large_arrays_keep_their_values(backend, dtype) -> None:
    x = np.arange(1 << 20).astype(dtype).reshape(1024, 1024)[:, ::-1]
    x.flags.writeable = False
    np.testing.assert_array_equal(backend.to_numpy(backend.array(x)), x)
