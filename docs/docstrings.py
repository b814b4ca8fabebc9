"""What Sphinx needs to know of docstrings here, and of programs of the gallery before each is run."""

from __future__ import annotations

import inspect
import re
from typing import Any

import sphinx.util.inspect

import polykeras as keras

#: Literals and links stay as they are; elsewhere these characters would be markup.
_LITERAL = re.compile(r"(``.*?``|`[^`]+?`_{1,2}|:\w+:`.*?`)")
_MARKUP = re.compile(r"(?<!\\)([*|`]|(?<=\w)_(?!\w))")


#: Names of arguments that share a description, and go on in the next line.
_NAMES = re.compile(r"    [*\w]+(, [*\w]+)*,")


def join_names(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Put names of arguments that share one description into one line."""
    for index in reversed(range(len(lines) - 1)):
        while index + 1 < len(lines) and _NAMES.fullmatch(lines[index]):
            lines[index] += " " + lines.pop(index + 1).strip()


def signature_of_class(
    app: object, what: str, name: str, item: Any, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show the arguments that Python itself reports; Sphinx would show those of a ``__new__`` that takes any."""
    if what != "class" or not inspect.isfunction(item.__init__):
        return signature, returns
    arguments = sphinx.util.inspect.signature(item)
    return sphinx.util.inspect.stringify_signature(arguments, show_return_annotation=False), None


def skip(app: object, what: str, name: str, item: object, is_skipped: bool, options: object) -> bool | None:
    """Leave out what scikit-learn adds to estimators, and properties that users may replace by anything."""
    if re.fullmatch(r"set_\w+_request", name) or type(item).__name__ == "replaceable":
        return True
    return None


def escape(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Take formulas such as ``|x|`` and ``a * b`` in a docstring for text, not for markup."""
    in_code = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            in_code = True
        elif not line.strip():
            in_code = False
        if not in_code:
            parts = _LITERAL.split(line)
            parts[::2] = [_MARKUP.sub(r"\\\1", part) for part in parts[::2]]
            lines[index] = re.sub(r"(?<=\w``)(?=s\b)", r"\\ ", "".join(parts))  # a plural: ``Layer``s


def start_program(gallery_conf: dict[str, Any], program: str) -> None:
    """Begin each program of the gallery as a new process would: with names and seeds from the start."""
    keras.utils.set_random_seed(0)
    keras.utils.clear_session()
