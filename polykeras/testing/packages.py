"""Run small programs of packages that build on Keras, with polykeras in place of Keras, and compare with Keras.

Each program in a folder is one use of one package: a file ``with_<use>.py`` that ends in assertions. ``PACKAGE``
in it names the package to install, and ``ENGINES`` the engines on which the package can run::

    python -m polykeras.testing.packages                          # every program on every engine
    python -m polykeras.testing.packages shap --backends torch    # one package on one engine
    python -m polykeras.testing.packages --keras --markdown docs/packages.md

Each program runs in a separate process, with ``python -m polykeras run``; with ``--keras`` it also runs under the
installed Keras. The exit status is 1 if a program fails that passes under Keras, or fails with another kind of
error than there.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ENGINES = ("numpy", "tensorflow", "torch", "jax")
_WRITTEN_BY_HAND = "## Their own tests"


@dataclass(frozen=True)
class Use:
    """A program that uses a package.

    Args:
        path: path of the program.
        package: str, name of its distribution.
        engines: the engines on which the package can run.
        title: str, what the program shows.
    """

    path: Path
    package: str
    engines: tuple[str, ...]
    title: str

    @property
    def version(self) -> str | None:
        """The installed version of the package; None if it isn't installed."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


@dataclass(frozen=True)
class Result:
    """The result of one program on one engine.

    Args:
        package: str, name of its distribution.
        version: str, the installed version; None if there is none.
        use: str, what the program shows.
        program: str, name of its file.
        engine: str, name of the backend.
        failure: str, the last line of its error; None if it passed.
        ran_keras: bool, whether it ran under Keras too.
        keras_failure: str, the last line of its error there; None if it passed or did not run.
    """

    package: str
    version: str | None
    use: str
    program: str
    engine: str
    failure: str | None
    ran_keras: bool = False
    keras_failure: str | None = None

    @property
    def is_fault(self) -> bool:
        """Whether polykeras is at fault, as far as is known: Keras does not fail, or with another kind of error."""
        return self.failure is not None and _kind(self.failure) != _kind(self.keras_failure)

    def __str__(self) -> str:
        if self.failure is None:
            return "passes (not with Keras)" if self.keras_failure else "passes"
        if self.keras_failure is None:
            return "fails"
        return "fails otherwise than with Keras" if self.is_fault else "fails as with Keras"


def find_uses(folder: Path, names: Sequence[str] = ()) -> list[Use]:
    """Return the programs of a folder.

    Args:
        folder: path of a folder with files ``with_<use>.py``.
        names: names of packages or uses; default none, for all.

    Raises:
        ValueError: for an unknown name, or a program without PACKAGE and ENGINES.
    """
    uses = [_read(path) for path in sorted(folder.glob("with_*.py"))]
    if not uses:
        raise ValueError(f"Expected a folder of programs with_<use>.py, as tests/packages. Received: {str(folder)!r}.")
    known = {name for use in uses for name in (use.package, _short(use))}
    if unknown := set(names) - known:
        raise ValueError(f"Expected names of {', '.join(sorted(known))}. Received: {', '.join(sorted(unknown))}.")
    return [use for use in uses if not names or {use.package, _short(use)} & set(names)]


def run_use(use: Use, engine: str, with_keras: bool = False, timeout: float = 600) -> Result:
    """Run a program on an engine, and return the result.

    Args:
        use: the program.
        engine: str, name of a backend.
        with_keras: bool, whether to run it under Keras too; default False.
        timeout: float, seconds allowed for each run; default 600.
    """
    failure = _run([sys.executable, "-m", "polykeras", "run", str(use.path)], engine, timeout)
    keras_failure = _run([sys.executable, str(use.path)], engine, timeout) if with_keras else None
    title = use.title.rstrip(".")
    return Result(use.package, use.version, title, use.path.name, engine, failure, with_keras, keras_failure)


def table(results: Iterable[Result], missing: Iterable[Use] = ()) -> str:
    """Return a Markdown page of results, with a row for each program and a column for each engine.

    Args:
        results: list of results of ``run_use``.
        missing: the programs whose packages are not installed.
    """
    results = list(results)
    rows: dict[tuple, dict[str, Result]] = {}
    for result in results:
        rows.setdefault((result.package, result.version, result.use), {})[result.engine] = result
    lines = [
        *_head(any(result.ran_keras for result in results)),
        "",
        f"| package | use | {' | '.join(ENGINES)} |",
        f"| --- | --- |{' --- |' * len(ENGINES)}",
    ]
    for (package, version, use), by_engine in rows.items():
        cells = (str(by_engine.get(engine, "–")) for engine in ENGINES)
        lines.append(f"| {package} {version} | {use} | {' | '.join(cells)} |")
    failures = [result for result in results if result.failure or result.keras_failure]
    if failures:
        lines += ["", "## Failures", "", *(_reason(result) for result in failures)]
    if missing := list(missing):
        lines += ["", "## Not installed where this ran", ""]
        lines += [f"- {use.package}: {use.title}" for use in missing]
    return "\n".join(lines) + "\n"


def _head(compared: bool) -> list[str]:
    """Return the page's introduction; a run without Keras does not mention a comparison."""
    ran = ", and, to compare, with Keras" if compared else "; not with Keras, so nothing is compared here"
    return [
        "# Packages on polykeras",
        "",
        "Small programs in `tests/packages` use packages that build on Keras as their own pages show it. They ran with",
        f"polykeras in place of Keras{ran}. Made by",
        f"`python -m polykeras.testing.packages {'--keras ' if compared else ''}--markdown docs/packages.md`;",
        "`pip install polykeras[packages]` brings the packages.",
        "A dash means that the package doesn't run on that engine.",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: list of str, the command-line arguments; default None, for those of the process.

    Returns:
        The exit status: 1 if a program fails that passes under Keras, fails with another type of exception, or
        did not run.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        uses = find_uses(options.folder, options.names)
    except ValueError as error:
        parser.error(str(error))
    results, missing = [], []
    for use in uses:
        if use.version is None:
            print(f"{_short(use)}: {use.package} is not installed")
            missing.append(use)
            continue
        for engine in filter(options.backends.__contains__, use.engines):
            result = run_use(use, engine, options.keras, options.timeout)
            print(f"{_short(use)} on {engine}: {result}", *filter(None, [result.failure]), sep=": ", flush=True)
            results.append(result)
    if options.markdown:
        options.markdown.write_text(table(results, missing) + _section_by_hand(options.markdown))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return int(any(result.is_fault for result in results))


def _section_by_hand(page: Path) -> str:
    """Return the section of an earlier page that no command makes."""
    _, heading, section = page.read_text().partition(_WRITTEN_BY_HAND) if page.exists() else ("", "", "")
    return f"\n{heading}{section}" if heading else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m polykeras.testing.packages", description="Run programs of packages that build on Keras."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="packages or uses; default: all")
    parser.add_argument("--backends", nargs="+", choices=ENGINES, default=_installed_engines(), help="default: all")
    parser.add_argument("--keras", action="store_true", help="run each under Keras too")
    parser.add_argument("--folder", type=Path, default=Path("tests/packages"), help="default: %(default)s")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="of a run; default: %(default)s")
    return parser


def _installed_engines() -> list[str]:
    return [engine for engine in ENGINES if importlib.util.find_spec(engine) is not None]


def _read(path: Path) -> Use:
    program = ast.parse(path.read_text())
    constants = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in program.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("PACKAGE", "ENGINES")
    }
    title = ast.get_docstring(program)
    listed = ", ".join(sorted(constants)) or "none of them"
    if set(constants) != {"PACKAGE", "ENGINES"} or not title:
        raise ValueError(f"Expected {path} to have a docstring, PACKAGE and ENGINES. Received: {listed}.")
    return Use(path.resolve(), constants["PACKAGE"], tuple(constants["ENGINES"]), title.splitlines()[0])


def _short(use: Use) -> str:
    return use.path.stem.removeprefix("with_")


def _run(command: list[str], engine: str, timeout: float) -> str | None:
    """Return the last line of a program's output before it failed; None if it passed."""
    environment = {name: value for name, value in os.environ.items() if name != "POLYKERAS_AS_KERAS"}
    environment |= {"KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"}
    run = functools.partial(subprocess.run, env=environment, capture_output=True, text=True, check=False)
    try:
        process = run(command, timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"took more than {timeout:.0f} seconds"
    if process.returncode == 0:
        return None
    return _last_error(process.stderr) or f"ended with status {process.returncode}"


def _last_error(text: str) -> str:
    """The type and message of the last traceback in a text, on one line."""
    _, _, last = text.rpartition("Traceback (most recent call last):\n")
    lines = last.splitlines()
    first = next((index for index, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return " ".join(" ".join(lines[first:]).split()).replace("`", "'")[:300]


def _kind(failure: str | None) -> str | None:
    """Return the type of the exception that a failure names first."""
    return failure and failure.partition(":")[0]


def _reason(result: Result) -> str:
    head = f"- {result.package}, {result.use}, on {result.engine}"
    if result.failure is None:
        return f"{head}: passes here; Keras fails with `{result.keras_failure}`"
    other = f"; Keras with `{result.keras_failure}`" if result.keras_failure else ""
    return f"{head}: fails with `{result.failure}`{other}"


if __name__ == "__main__":
    sys.exit(main())
