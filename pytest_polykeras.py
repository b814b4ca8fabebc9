"""The pytest plugin of polykeras, so small that it costs nothing where it isn't used: see docs/parity_in_ci.md.

It lies outside of the package, since importing anything inside would import polykeras.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Iterator
from typing import Any

import pytest

_TAKEN = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("polykeras", "parity of polykeras's backends")
    group.addoption(
        "--polykeras-backend",
        action="append",
        metavar="NAME",
        help="run tests of backends on this one only; also --backend, where a project has no option of that name",
    )
    group.addoption("--parity-record", metavar="FILE", help="write the outputs and losses of assert_parity to FILE")
    group.addoption("--parity-check", metavar="FILE", help="compare the outputs and losses of assert_parity with FILE")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Take ``--backend`` for ours once the project has added its options: one of that name stays the project's.

    It is never added itself, since a conftest.py that pytest meets later could not have it then.
    """
    result = yield
    early_config.stash[_TAKEN] = is_taken = _knows(parser, "--backend")
    if not is_taken:
        args[:] = [re.sub(r"^--backend(?==|$)", "--polykeras-backend", argument) for argument in args]
    return result


def _knows(parser: pytest.Parser, option: str) -> bool:
    """Whether a command line may have an option already."""
    try:
        unknown = parser.parse_known_and_unknown_args([f"{option}=?"])[1]
    except pytest.UsageError:  # it is known, and takes no such value
        return True
    return not unknown


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "backends(*names): run the test on each of these backends of polykeras")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that has the mark, or the fixture ``each_backend``, on each backend."""
    mark = metafunc.definition.get_closest_marker("backends")
    if mark is not None and "each_backend" not in metafunc.fixturenames:
        metafunc.fixturenames.append("each_backend")
    if "each_backend" in metafunc.fixturenames:
        from polykeras.parity import pytest_plugin

        _warn_of_another_option(metafunc.config)
        names = pytest_plugin.names(mark, metafunc.config.getoption("polykeras_backend"))
        metafunc.parametrize("each_backend", names, indirect=True)


def _warn_of_another_option(config: pytest.Config) -> None:
    if config.stash.get(_TAKEN, False):
        config.stash[_TAKEN] = False  # once is enough
        warnings.warn(
            pytest.PytestWarning(
                "Expected --backend to be free for polykeras. Received: an option of that name from a conftest.py or "
                "another plugin, which keeps it. Choose the backend of each_backend, @pytest.mark.backends and "
                "assert_parity by --polykeras-backend."
            ),
            stacklevel=1,
        )


@pytest.fixture
def each_backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of each backend in turn, in use during the test."""
    from polykeras import backends

    if not backends.is_installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    with backends.use(request.param):
        yield request.param


@pytest.fixture
def assert_parity(request: pytest.FixtureRequest) -> Any:
    """``polykeras.parity.assert_parity``, which also records and checks snapshots."""
    from polykeras.parity import pytest_plugin

    return pytest_plugin.assertion(request)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was recorded."""
    if session.config.getoption("--parity-record", None):
        from polykeras.parity import pytest_plugin

        pytest_plugin.write(session.config)
