"""The ``.keras`` archive: a zip of config.json, metadata.json and model.weights.h5."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from polykeras.saving import files

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


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


def write(path: Path, config: dict, metadata: dict, weights: Path) -> None:
    """Write an archive with a seal.

    Args:
        path: of the new file.
        config, metadata: ready for JSON.
        weights: the file that becomes ``model.weights.h5``.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(config))
        archive.write(weights, WEIGHTS)
        archive.comment = files.BLANK_SEAL
    files.seal(path)


class Archive:
    """A ``.keras`` file, checked before anything in it is used.

    Args:
        path: of the file.

    Raises:
        ValueError: for a file that is no archive, is damaged, or has members that none of ours has.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        sealed = files.is_sealed(self.path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except zipfile.BadZipFile as error:
            raise ValueError(
                f"Expected {str(path)!r} to be a .keras file, which is a zip archive. Received: {error}. "
                f"It may be cut off: use another copy."
            ) from None
        try:
            self._check_members()
            self.metadata = self.json(METADATA) if METADATA in self._zip.namelist() else {}
            files.check_claim(self.path, sealed, "polykeras_version" in self.metadata)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()

    def _refuse(self, what: str) -> None:
        raise ValueError(
            f"Expected {str(self.path)!r} to hold plain members with relative names. Received: {what}. "
            f"The file is damaged or made to do harm; it is not loaded."
        )

    def _check_members(self) -> None:
        members = self._zip.infolist()
        names = [member.filename for member in members]
        if len(set(names)) < len(names):
            self._refuse(f"names that occur twice, {sorted({n for n in names if names.count(n) > 1})}")
        size = self.path.stat().st_size
        for member in members:
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in member.filename or "\0" in member.orig_filename:
                self._refuse(f"the name {member.filename!r}")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                self._refuse(f"a link or device, {member.filename!r}")
            if member.flag_bits & 1:
                self._refuse(f"an encrypted member, {member.filename!r}")
            if member.file_size > limits.ratio * max(member.compress_size, 1) or member.compress_size > size:
                self._refuse(f"{member.filename!r}, which unpacks {member.compress_size} to {member.file_size} bytes")
        if sum(member.file_size for member in members) > limits.total:
            self._refuse(f"members that unpack to more than {limits.total} bytes, see polykeras.saving.limits")
        if CONFIG not in names:
            self._refuse(f"no {CONFIG} among {names}")

    def json(self, name: str) -> Any:
        """Return a member that holds JSON.

        Raises:
            ValueError: if it is too long, damaged, or no JSON.
        """
        if self._zip.getinfo(name).file_size > limits.text:
            self._refuse(f"{name!r} of more than {limits.text} bytes, see polykeras.saving.limits")
        try:
            return json.loads(self._zip.read(name))
        except (zipfile.BadZipFile, ValueError, RecursionError, EOFError) as error:
            raise ValueError(
                f"Expected JSON in {name!r} of {str(self.path)!r}. Received: {error}. Use another copy."
            ) from None

    @contextmanager
    def weights(self) -> Iterator[Any]:
        """Context manager: a file object over ``model.weights.h5``, read in place where it isn't compressed."""
        if WEIGHTS not in self._zip.namelist():
            self._refuse(f"no {WEIGHTS} among {self._zip.namelist()}")
        member = self._zip.getinfo(WEIGHTS)
        if member.compress_type == zipfile.ZIP_STORED:
            start = self._read_through(member, lambda chunk: None)
            with open(self.path, "rb") as file:
                yield io.BufferedReader(_Part(file, start, member.file_size), 1 << 16)
        else:
            with tempfile.TemporaryFile() as copy:
                self._read_through(member, copy.write)
                yield copy

    def _read_through(self, member: zipfile.ZipInfo, use: Callable[[bytes], Any]) -> int:
        """Read a member to its end, which compares its check sum; return where it starts in the file."""
        try:
            with self._zip.open(member) as source:
                while chunk := source.read(1 << 20):
                    use(chunk)
                return source._orig_compress_start
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise ValueError(
                f"Expected {member.filename!r} in {str(self.path)!r} to be whole. Received: {error}. Use another copy."
            ) from None


class _Part(io.RawIOBase):
    """Some bytes of a file, as a file of their own."""

    def __init__(self, file: Any, start: int, size: int) -> None:
        self._file, self._start, self._size, self._place = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._start + self._place)
        read = self._file.readinto(memoryview(buffer)[:count]) if count else 0
        self._place += read
        return read
