"""Writing files whole or not at all, and telling when one has changed since.

A *seal* is a checksum of a whole file inside of it: 64 digits, which count as zeros in the sum. It is a
SHA-256 of the SHA-256 of each 4 MiB block, so that all processors work on it. Zip archives hold it as the
end of their comment, HDF5 files after their end, where neither format looks; JSON files in a field.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = b"\npolykeras sha256/4MiB "
DIGITS = 64
#: What a writer puts last, for ``seal`` to fill.
BLANK = "0" * DIGITS
BLANK_SEAL = MARK + BLANK.encode()
#: The field of the seal in JSON.
FIELD = "polykeras_sha256"

_BLOCK = 1 << 22
_THREADS = min(4, os.cpu_count() or 1)


@dataclass
class Limits:
    """What a file may take when it is loaded; assign to ``polykeras.saving.limits`` to change it.

    Args:
        ratio: bytes unpacked for each byte in the file.
        total: bytes unpacked, all together.
        text: bytes of a JSON member.
    """

    ratio: float = 200.0
    total: int = 1 << 40
    text: int = 1 << 28


limits = Limits()


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
    check_overwrite(path, overwrite)
    target = Path(os.path.realpath(path))  # through a link, the file that it points to
    _remove_leftovers(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.add_note(f"{str(path)!r} could not be written; what stood there before is as it was.")
        raise
    _flush(target.parent)


def check_overwrite(path: Path, overwrite: bool) -> None:
    """Refuse to write where there is a file, unless it may be replaced.

    Raises:
        FileExistsError: if there is one and ``overwrite`` is False.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"Expected no file at {str(path)!r}, as overwrite=False. Received: an existing one.")


def _remove_leftovers(target: Path) -> None:
    """Remove what writers left that were killed: temporary files that nobody has touched for an hour."""
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > 3600:
                leftover.unlink()


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


def seal(path: Path, place: int | None = None) -> None:
    """Fill in the seal of a file.

    Args:
        path: of a file with 64 zeros for the seal.
        place: where these are; default at the end.
    """
    place = path.stat().st_size - DIGITS if place is None else place
    with ThreadPoolExecutor(1) as pool, open(path, "r+b") as file:
        flushed = pool.submit(os.fsync, file.fileno())  # the disk writes while the processors sum up
        digest = _digest(file, place)
        flushed.result()
        file.seek(place)
        file.write(digest)


def is_sealed(file: Any, name: str | os.PathLike, place: int | None = None) -> bool:
    """Return whether a file has a seal, after checking it.

    Args:
        file: open for reading. It is one file from the first byte to the last, also while another takes
            its name.
        name: of the file, for messages.
        place: where the seal is; default at the end, if the mark of one is there.

    Raises:
        ValueError: if the file is not what it was when it was sealed.
    """
    if place is None:
        place = file.seek(0, os.SEEK_END) - DIGITS
        if place < len(MARK):
            return False
        file.seek(place - len(MARK))
        if file.read(len(MARK)) != MARK:
            return False
    file.seek(place)
    if file.read(DIGITS) != _digest(file, place):
        raise ValueError(
            f"Expected {os.fspath(name)!r} to be as it was written. Received: a file whose bytes don't match its "
            f"checksum: it is damaged, or was changed. Use another copy."
        )
    return True


def place_of_seal(text: bytes) -> int | None:
    """Return where the seal stands in JSON, or None."""
    found = re.search(f'"{FIELD}": "'.encode(), text)
    return found and found.end()


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


def _digest(file: Any, place: int) -> bytes:
    """The sum of all bytes, those of the seal itself taken as zeros."""
    root, leaves = hashlib.sha256(), deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for block in _blocks(file, place):
            leaves.append(pool.submit(lambda block: hashlib.sha256(block).digest(), block))
            if len(leaves) > _THREADS:  # no more blocks in memory than are worked on
                root.update(leaves.popleft().result())
        for leaf in leaves:
            root.update(leaf.result())
    return root.hexdigest().encode()


def _blocks(file: Any, place: int) -> Iterator[bytes]:
    file.seek(0)
    start = 0
    while block := file.read(_BLOCK):
        first, last = max(place - start, 0), min(place - start + DIGITS, len(block))
        if first < last:
            block = block[:first] + b"0" * (last - first) + block[last:]
        start += len(block)
        yield block
