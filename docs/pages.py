"""The pages of the API: one for each public name, one for each namespace, and an index."""

from __future__ import annotations

import inspect
from pathlib import Path

import polykeras
from docs.names import OLD, Entry, entries
from polykeras import backends

DOCS = Path(__file__).parent
FOLDER = DOCS / "api"
LABELS = {"numpy": "NumPy", "tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
#: Classes that users derive from, whose pages show what they inherit.
BASES = [getattr(polykeras, name) for name in polykeras.__all__ if inspect.isclass(getattr(polykeras, name))]


def write(results: dict[str, dict[str, str]]) -> int:
    """Write all pages into ``docs/api``; pages that are as they were keep their time.

    Args:
        results: for each backend what ``docs.examples`` found.

    Returns:
        The number of pages for names.
    """
    FOLDER.mkdir(exist_ok=True)
    namespaces = entries()
    pages = {}
    for rows in namespaces.values():
        pages |= {f"{entry.name}.rst": _page(entry, results) for entry in rows}
    count = len(pages)
    pages |= {f"{_title(name)}.rst": _namespace_page(name, rows) for name, rows in namespaces.items() if rows}
    pages["index.rst"] = _index(namespaces)
    for old in FOLDER.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return count


def _title(namespace: str) -> str:
    return f"keras.{namespace}" if namespace else "keras"


def _heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def _page(entry: Entry, results: dict[str, dict[str, str]]) -> str:
    namespace, _, name = entry.name.removeprefix("polykeras.").rpartition(".")
    text = ":orphan:\n\n" + _heading(name)
    text += f":doc:`{_title(namespace)}`\n\n"
    badges = [_badge(entry, backend, found) for backend, found in results.items()]
    if any(badges):
        text += "Its example runs on " + " ".join(filter(None, badges)) + "\n\n"
    if entry.others:
        text += "Also " + ", ".join(f"``{other.replace('polykeras', 'keras', 1)}``" for other in entry.others) + ".\n\n"
    kind = "class" if inspect.isclass(entry.item) else "function"
    text += f".. auto{kind}:: {entry.name}\n"
    if kind == "class":
        text += "   :members:\n" + ("   :inherited-members:\n" if entry.item in BASES else "")
    return text + f"\n.. minigallery:: {entry.name}\n   :add-heading: Programs that use it\n"


def _badge(entry: Entry, backend: str, found: dict[str, str]) -> str:
    """A green badge where all examples of a name and its methods passed, a red one where one failed."""
    own = [problem for name, problem in found.items() if name == entry.home or name.startswith(f"{entry.home}.")]
    if not own:
        return ""
    return f":bdg-{'danger' if any(own) else 'success'}:`{LABELS[backend]}`"


def _namespace_page(namespace: str, rows: list[Entry]) -> str:
    text = _heading(_title(namespace)) + ".. list-table::\n   :widths: 1 2\n\n"
    prefix = ".".join(filter(None, ["polykeras", namespace])) + "."
    for entry in sorted(rows, key=lambda entry: entry.name.rpartition(".")[2].lower()):
        own = [name.removeprefix(prefix) for name in (entry.name, *entry.others) if name.startswith(prefix)]
        names = [name for name in own if "." not in name]
        summary = entry.summary.replace("|", "\\|").replace("*", "\\*")
        text += "   * - " + ", ".join(f":doc:`{name} <{entry.name}>`" for name in names) + f"\n     - {summary}\n"
    return text


def _index(namespaces: dict[str, list[Entry]]) -> str:
    text = _heading("API") + (
        "Every public name has a page: its arguments, its example, and a badge for each backend that its example was "
        "run on when this site was built, green where it gave what it shows. Arrays are compared by their values; "
        f"badges are of {', '.join(LABELS[name] for name in LABELS if name in backends.available())}.\n\n"
    )
    today = [name for name in namespaces if name.partition(".")[0] not in OLD and namespaces[name]]
    older = [name for name in OLD if namespaces.get(name)]
    for caption, names in (("Namespaces", today), ("Names of Keras 1 and 2", older)):
        text += f".. toctree::\n   :caption: {caption}\n   :maxdepth: 1\n\n"
        text += "".join(f"   {_title(name)}\n" for name in sorted(names)) + "\n"
    return text
