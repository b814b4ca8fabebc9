"""Build the documentation site: ``python -m docs``. Needs the extra ``docs``, and no network.

python -m docs             # into docs/_build/html; warnings are errors
python -m docs --quick     # without running the examples of docstrings and the programs of the gallery anew
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).parent
BUILD = DOCS / "_build"
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
# Each example compiles its few operations once; JAX's compiler need not try hard.
COMPILERS = {"XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"}


def main() -> int:
    """Run the examples, write the pages, and call Sphinx; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs", description="Build the documentation site.")
    parser.add_argument("--quick", action="store_true", help="keep what was computed in an earlier build")
    options = parser.parse_args()
    begin = time.perf_counter()
    from docs import pages

    results = example_results(keep=options.quick)
    problems = {(backend, name) for backend, found in results.items() for name, text in found.items() if text}
    print(f"{pages.write(results)} names, {len(problems)} examples that differ", flush=True)
    notebooks()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-j", "2"]
    command += ["-D", "plot_gallery=False"] if options.quick else []
    status = subprocess.call([*command, "-d", str(BUILD / "doctrees"), str(DOCS), str(BUILD / "html")], cwd=ROOT)
    print(f"{BUILD / 'html' / 'index.html'}: {time.perf_counter() - begin:.0f} s, exit status {status}")
    return status


def example_results(keep: bool) -> dict[str, dict[str, str]]:
    """Run the examples of all docstrings on each backend, two at a time; return what went wrong by backend and name.

    Args:
        keep: whether results of an earlier build will do.
    """
    from polykeras import backends

    BUILD.mkdir(exist_ok=True)
    paths = {name: BUILD / f"examples_{name}.json" for name in reversed(backends.available())}
    missing = [name for name, path in paths.items() if not (keep and path.exists())]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: run_examples(name, paths[name]), missing))
    return {name: json.loads(path.read_text()) for name, path in paths.items()}


def run_examples(name: str, path: Path) -> None:
    """Run the examples on one backend, in a process of its own."""
    environment = {**COMPILERS, **os.environ, "KERAS_VERBOSE": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "docs.examples", name, str(path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The examples on {name} did not run to their end:\n{done.stderr[-3000:]}")


def notebooks() -> None:
    """Copy the notebooks to where Sphinx finds them."""
    folder = DOCS / "notebooks"
    folder.mkdir(exist_ok=True)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        target = folder / path.name
        if not target.exists() or target.read_bytes() != path.read_bytes():
            target.write_bytes(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
