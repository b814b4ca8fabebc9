"""Writing files atomically, and detecting files that have changed since.

A *seal* is the CRC-32 of a whole file inside of it, as eight digits that count as zeros in the sum: no
flipped byte, and no run of up to four, escapes it. Zip archives hold it as the end of their comment, HDF5
files after their end, where neither format looks; JSON texts in a field.
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
#: What a writer puts last, for ``seal`` to fill.
BLANK = "0" * DIGITS
BLANK_SEAL = MARK + BLANK.encode()
#: The field of the seal in JSON.
FIELD = "polykeras_crc32"

_BLOCK = 1 << 22  # 4 MiB: the threads stay busy, and take little memory
_THREADS = min(4, os.cpu_count() or 1)


@dataclass
class Limits:
    """What a file may take when it is loaded; assign to ``polykeras.saving.limits`` to change it.

    Args:
        ratio: bytes unpacked for each byte in the file; default 200.0.
        total: bytes unpacked, all together; default 1 TiB.
        text: bytes of a JSON member; default 256 MiB.

    >>> Limits(ratio=100.0).ratio
    100.0
    """

    ratio: float = 200.0
    total: int = 1 << 40
    text: int = 1 << 28


limits = Limits()


class NoFileError(FileNotFoundError, ValueError):
    """There is no file where one is to be read; Keras raises a ValueError."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike, overwrite: bool = True) -> Iterator[Path]:
    """Context manager: a temporary file beside ``path`` that takes its place at the end.

    A failure at any moment leaves the old file as it was, and the temporary one is removed.

    Args:
        path: of the file to write.
        overwrite: whether there may be one already.

    Raises:
        FileExistsError: if there is a file and ``overwrite`` is False.

    >>> import tempfile
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
    # The writer makes it: some file systems wait for the disk where a file is emptied before it is written.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
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
    """The permissions of the old file, otherwise those of any new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def seal(path: Path, offset: int | None = None, crc: int | None = None) -> None:
    """Fill in the seal of a file.

    Args:
        path: of a file with eight zeros for the seal.
        offset: where these are; default at the end.
        crc: the checksum with these zeros, where it is known.
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
    """Context manager: the disk writes what was written to a file, while the processors do the block."""
    with ThreadPoolExecutor(1) as pool:
        flushed = pool.submit(os.fsync, file.fileno())
        yield
        flushed.result()


def is_sealed(file: Any, name: str | os.PathLike, offset: int | None = None) -> bool:
    """Return whether a file has a seal, after checking it.

    Args:
        file: open for reading. It is one file from the first byte to the last, also while another takes
            its name.
        name: of the file, for messages.
        offset: where the seal is; default at the end, if the mark of one is there.

    Raises:
        ValueError: if the file is not what it was when it was sealed.
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
    """Return where the seal stands in JSON, or None."""
    found = re.search(f'"{FIELD}": "'.encode(), text)
    return None if found is None else found.end()


def warn_of_missing_seal(path: str | os.PathLike) -> None:
    """Warn that only the checksums of a file's parts were compared."""
    warnings.warn(
        f"Expected {str(path)!r} to end in its checksum. Received: none; its parts match their own, so it was packed "
        "anew, and is loaded.",
        stacklevel=2,
    )


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


# ------------------------------------------------------------------ checksums


def _digits(crc: int) -> bytes:
    return f"{crc:08x}".encode()


def checksum(file: Any, start: int = 0, blank: int | None = None) -> int:
    """Return the CRC-32 of a file, from several threads.

    Args:
        file: open for reading.
        start: first byte.
        blank: where digits stand that count as zeros.

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
            if len(sums) == _THREADS:  # so the next buffer is free
                total = add()
        while sums:
            total = add()
    return total


def joined(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two texts, from those of each and the length of the second.

    >>> joined(zlib.crc32(b"ab"), zlib.crc32(b"c"), 1) == zlib.crc32(b"abc")
    True
    """
    return _apply(_shift(length), first) ^ second


def _fill(file: Any, buffer: bytearray) -> int:
    """Read until a buffer is full or the file ends; return how many bytes there are."""
    view, length = memoryview(buffer), 0
    while length < len(buffer) and (count := file.readinto(view[length:])):
        length += count
    return length


@functools.cache
def _shift(length: int) -> tuple[int, ...]:
    """What so many bytes behind it make of the CRC-32 of a text: a linear map, given by 32 columns.

    That of one byte, multiplied with itself, as in zlib's ``crc32_combine``.
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
