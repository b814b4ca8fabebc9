"""Writing files whole or not at all, and telling when one has changed since.

A *seal* is the last line of a file: a mark and the SHA-256 of all bytes before it. Zip archives hold it
as their comment, HDF5 files after their end, where neither format looks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

MARK = b"\npolykeras sha256 "
_DIGITS = 64
#: What a writer puts last, for ``seal`` to fill.
BLANK_SEAL = MARK + b"0" * _DIGITS


@contextlib.contextmanager
def replacing(path: str | os.PathLike, overwrite: bool = True) -> Iterator[Path]:
    """Context manager: a temporary file beside ``path`` that takes its place at the end.

    A failure at any moment leaves the old file as it was, and the temporary one is removed.

    Args:
        path: of the file to write.
        overwrite: whether there may be one already.

    Raises:
        FileExistsError: if there is a file and ``overwrite`` is False.

    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"Expected no file at {str(path)!r}, as overwrite=False. Received: an existing one.")
    target = Path(os.path.realpath(path))  # through a link, the file that it points to
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(target: Path) -> int:
    """The permissions of the old file, else those of any new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def seal(path: Path) -> None:
    """Fill in the seal of a file that ends in ``BLANK_SEAL``."""
    digest = _digest(path)
    with open(path, "r+b") as file:
        file.seek(-_DIGITS, os.SEEK_END)
        file.write(digest)


def is_sealed(path: str | os.PathLike) -> bool:
    """Return whether a file has a seal, after checking it.

    Raises:
        ValueError: if the file is not what it was when it was sealed.
    """
    path = Path(path)
    with open(path, "rb") as file:
        if path.stat().st_size < len(BLANK_SEAL):
            return False
        file.seek(-len(BLANK_SEAL), os.SEEK_END)
        end = file.read()
    if not end.startswith(MARK):
        return False
    if end[len(MARK) :] != _digest(path):
        raise ValueError(
            f"Expected {str(path)!r} to be as it was written. Received: a file whose bytes don't match its checksum: "
            f"it is damaged, or was changed. Use another copy."
        )
    return True


def check_claim(path: str | os.PathLike, sealed: bool, claims: bool) -> None:
    """Refuse a file that says it was sealed and isn't.

    Raises:
        ValueError: for such a file.
    """
    if claims and not sealed:
        raise ValueError(
            f"Expected {str(path)!r} to end in its checksum. Received: none: it is cut off, damaged, or was changed. "
            f"Use another copy."
        )


def _digest(path: Path) -> bytes:
    left = path.stat().st_size - _DIGITS
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while left > 0:
            chunk = file.read(min(left, 1 << 20))
            if not chunk:
                break
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest().encode()
