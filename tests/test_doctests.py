"""Every example in a docstring runs, on NumPy."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import polykeras
from polykeras import backends
from polykeras.core import naming

ADAPTERS = {f"polykeras.backends.{name}": name for name in backends.NAMES}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(polykeras.__path__, "polykeras.")
    if not module.name.endswith(".__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_on_numpy(name: str) -> None:
    if name in ADAPTERS:
        if not backends.is_installed(ADAPTERS[name]):
            pytest.skip(f"{ADAPTERS[name]} is not installed")
        backends.load_all()  # in the order in which the frameworks live together
    module = importlib.import_module(name)
    with backends.use("numpy"):
        naming.reset()
        result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples failed; see the output above"
