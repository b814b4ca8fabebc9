"""Writing files atomically, and detecting modified files.

A *seal* is the CRC-32 of a whole file, stored in the file as eight digits that count as zeros in the sum: any
changed byte, and any run of up to four, is detected. Zip archives store it at the end of their comment, HDF5
files after their end, where neither format looks; JSON files in a field.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import os
import re
import secrets
import time
import warnings
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = b"\npolykeras crc32 "
DIGITS = 8
#: What a writer writes last, for ``seal`` to fill in.
BLANK = "0" * DIGITS
BLANK_SEAL = MARK + BLANK.encode()
#: The field of the seal in JSON.
FIELD = "polykeras_crc32"

_BLOCK = 1 << 22  # 4 MiB: enough to keep the threads busy with little memory
_THREADS = min(4, os.cpu_count() or 1)


@dataclass
class Limits:
    """Limits on the resources that loading a file may take; assign to ``polykeras.saving.limits`` to change them.

    Args:
        ratio: float, unpacked bytes per byte in the file; default 200.0.
        total: int, total number of unpacked bytes; default 1 TiB.
        text: int, bytes of a JSON member; default 256 MiB.

    >>> Limits(ratio=100.0).ratio
    100.0
    """

    ratio: float = 200.0
    total: int = 1 << 40
    text: int = 1 << 28


limits = Limits()


class NoFileError(FileNotFoundError, ValueError):
    """The file to read does not exist; a ValueError too, since Keras raises that."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike, overwrite: bool = True) -> Iterator[Path]:
    """Context manager: a temporary file next to ``path`` that replaces it at the end.

    A failure at any time leaves the old file unchanged, and the temporary one is removed.

    Args:
        path: path of the file to write.
        overwrite: bool, whether to replace an existing file.

    Raises:
        FileExistsError: if the file exists and ``overwrite`` is False.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    check_overwrite(path, overwrite)
    target = Path(os.path.realpath(path))  # for a link, the file that it points to
    _remove_leftovers(target)
    # The writer creates it: some file systems wait for the disk if a file is truncated before it is written.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        _flush(temporary)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.add_note(f"{str(path)!r} could not be written; its previous content is unchanged.")
        raise
    _flush(target.parent)


def check_overwrite(path: Path, overwrite: bool) -> None:
    """Refuse to write to an existing file, unless it may be replaced.

    Raises:
        FileExistsError: if it exists and ``overwrite`` is False.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"Expected no file at {str(path)!r}, as overwrite=False. Received: an existing file.")


def _remove_leftovers(target: Path) -> None:
    """Remove what killed writers have left behind: temporary files that nobody has touched for an hour."""
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > 3600:
                leftover.unlink()


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, have been written to disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(target: Path) -> int:
    """Return the permissions of the old file, or the default ones of a new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def seal(path: Path, offset: int | None = None, crc: int | None = None) -> None:
    """Fill in the seal of a file.

    Args:
        path: path of a file with eight zeros for the seal.
        offset: int, the position of the zeros; default at the end.
        crc: int, the checksum with these zeros, if it is known; default None.
    """
    offset = path.stat().st_size - DIGITS if offset is None else offset
    with open(path, "r+b") as file:
        if crc is None:
            with flushing(file):
                crc = checksum(file, blank=offset)
        file.seek(offset)
        file.write(_digits(crc))


@contextlib.contextmanager
def flushing(file: Any) -> Iterator[None]:
    """Context manager: start writing a file to disk while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(os.fsync, file.fileno())
        yield
        flushed.result()


def is_sealed(file: Any, name: str | os.PathLike, offset: int | None = None) -> bool:
    """Return whether a file has a seal, after verifying it.

    Args:
        file: file open for reading. It remains the same file even if another one replaces it under
            its name.
        name: name of the file, for messages.
        offset: int, the position of the seal; default at the end, if a seal is marked there.

    Raises:
        ValueError: if the file has changed since it was sealed.
    """
    if offset is None:
        offset = file.seek(0, os.SEEK_END) - DIGITS
        if offset < len(MARK):
            return False
        file.seek(offset - len(MARK))
        if file.read(len(MARK)) != MARK:
            return False
    file.seek(offset)
    if file.read(DIGITS) != _digits(checksum(file, blank=offset)):
        raise ValueError(
            f"Expected {os.fspath(name)!r} to be as it was written. Received: a file whose bytes don't match its "
            f"checksum: it is damaged, or was changed. Use another copy."
        )
    return True


def offset_of_seal(text: bytes) -> int | None:
    """Return the position of the seal in JSON, or None."""
    found = re.search(f'"{FIELD}": "'.encode(), text)
    return None if found is None else found.end()


def warn_of_missing_seal(path: str | os.PathLike) -> None:
    """Warn that only the checksums of a file's parts were verified."""
    warnings.warn(
        f"Expected {str(path)!r} to end in its checksum. Received: none; the checksums of its parts match, so it was "
        "repacked, and is loaded.",
        stacklevel=2,
    )


def check_claim(path: str | os.PathLike, sealed: bool, claims: bool) -> None:
    """Reject a file that claims to be sealed but is not.

    Raises:
        ValueError: always.
    """
    if claims and not sealed:
        raise ValueError(
            f"Expected {str(path)!r} to end in its checksum. Received: none: it is truncated, damaged, or was changed. "
            f"Use another copy."
        )


# ------------------------------------------------------------------ checksums


def _digits(crc: int) -> bytes:
    return f"{crc:08x}".encode()


def checksum(file: Any, start: int = 0, blank: int | None = None) -> int:
    """Return the CRC-32 of a file, computed by several threads.

    Args:
        file: file open for reading.
        start: int, the position of the first byte.
        blank: int, the position of the digits that count as zeros.

    >>> import io
    >>> checksum(io.BytesIO(b"abc")) == zlib.crc32(b"abc")
    True
    """
    total, offset = 0, start
    size = min(_BLOCK, max(1, file.seek(0, os.SEEK_END) - start))
    buffers = itertools.cycle([bytearray(size) for _ in range(_THREADS + 1)])
    sums: deque = deque()
    file.seek(start)

    def add() -> int:
        length, crc = sums.popleft()
        return joined(total, crc.result(), length)

    with ThreadPoolExecutor(_THREADS) as pool:
        while length := _fill(file, buffer := next(buffers)):
            if blank is not None and offset - DIGITS < blank < offset + length:
                first, last = max(blank - offset, 0), min(blank - offset + DIGITS, length)
                buffer[first:last] = b"0" * (last - first)
            sums.append((length, pool.submit(zlib.crc32, memoryview(buffer)[:length])))
            offset += length
            if len(sums) == _THREADS:  # then the next buffer is free
                total = add()
        while sums:
            total = add()
    return total


def joined(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of the concatenation of two byte strings, given those of each and the length of the second.

    >>> joined(zlib.crc32(b"ab"), zlib.crc32(b"c"), 1) == zlib.crc32(b"abc")
    True
    """
    return _apply(_shift(length), first) ^ second


def _fill(file: Any, buffer: bytearray) -> int:
    """Read until a buffer is full or the file ends; return the number of bytes read."""
    view, length = memoryview(buffer), 0
    while length < len(buffer) and (count := file.readinto(view[length:])):
        length += count
    return length


@functools.cache
def _shift(length: int) -> tuple[int, ...]:
    """Return the effect of a number of further bytes on the CRC-32 of a text: a linear map, given by 32 columns.

    It is the map of one byte, multiplied by itself, as in zlib's ``crc32_combine``.
    """
    if length == 0:
        return tuple(1 << bit for bit in range(32))
    if length == 1:
        return tuple(zlib.crc32(b"\0", 1 << bit) ^ zlib.crc32(b"\0") for bit in range(32))
    half = _shift(length // 2)
    both = tuple(_apply(half, column) for column in half)
    return tuple(_apply(_shift(1), column) for column in both) if length % 2 else both


def _apply(columns: tuple[int, ...], crc: int) -> int:
    result = 0
    for column in columns:
        if crc & 1:
            result ^= column
        crc >>= 1
    return result
