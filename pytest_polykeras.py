"""The pytest plugin of polykeras, so small that it costs nothing where it isn't used: see docs/parity_in_ci.md.

It lies outside of the package, since importing anything inside would import polykeras.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("polykeras", "parity of polykeras's backends")
    group.addoption("--backend", action="append", metavar="NAME", help="run tests of backends on this one only")
    group.addoption("--parity-record", metavar="FILE", help="write the outputs and losses of assert_parity to FILE")
    group.addoption("--parity-check", metavar="FILE", help="compare the outputs and losses of assert_parity with FILE")


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

        names = pytest_plugin.names(mark, metafunc.config.getoption("--backend"))
        metafunc.parametrize("each_backend", names, indirect=True)


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
