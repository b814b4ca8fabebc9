"""The ``.keras`` archive: a zip file of config.json, metadata.json, model.weights.h5 and assets."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from polykeras.core import naming
from polykeras.saving import files, hdf5
from polykeras.saving.files import limits

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets/"


#: Bytes before the weights: their local zip header, padded to a size that HDF5 allows before its own data.
_HEAD = 512
_END_SIZE = 22  # bytes of the end-of-central-directory record; its last two are the length of the comment
_ALIGNMENT_FIELD = 0xD935  # the extra field that zip tools use for padding


def write(path: Path, config: dict, metadata: dict, fill: Callable[[hdf5.Writer], None], assets: dict) -> None:
    """Write a sealed archive.

    Args:
        path: of the new file.
        config, metadata: JSON-ready dicts.
        fill: writes the weights. They are written directly to their final position: an HDF5 file may begin after
            a header of 512 bytes, in which the archive describes it as its first member.
        assets: dict of members below ``assets/`` by name: paths of files to copy.
    """
    with hdf5.writing(path, head=_HEAD) as writer:
        fill(writer)
    with open(path, "r+b") as file:
        member = _weights_member(file)
        file.seek(0, os.SEEK_END)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.filelist.append(member)
            archive.NameToInfo[member.filename] = member
            archive.writestr(METADATA, json.dumps(metadata))
            archive.writestr(CONFIG, json.dumps(config))
            for name, asset in assets.items():
                archive.write(asset, ASSETS + name)
            archive.comment = files.BLANK_SEAL
        # The checksum of the whole file follows from those of its parts, so the weights are read only once.
        file.seek(0)
        crc = files.joined(zlib.crc32(file.read(_HEAD)), member.CRC, member.file_size)
        end = _HEAD + member.file_size
        crc = files.joined(crc, files.checksum(file, end), file.seek(0, os.SEEK_END) - end)
    files.seal(path, crc=crc)


def _weights_member(file: Any) -> zipfile.ZipInfo:
    """Make everything after the header of a file a member of the archive."""
    member = zipfile.ZipInfo(WEIGHTS, time.localtime()[:6])
    member.file_size = member.compress_size = file.seek(0, os.SEEK_END) - _HEAD
    member.external_attr = 0o600 << 16
    with files.flushing(file):
        member.CRC = files.checksum(file, _HEAD)
    is_large = member.file_size > zipfile.ZIP64_LIMIT
    missing = _HEAD - len(member.FileHeader(is_large)) - 4
    member.extra = struct.pack("<HH", _ALIGNMENT_FIELD, missing) + bytes(missing)
    file.seek(0)
    file.write(member.FileHeader(is_large))
    member.extra, member.header_offset = b"", 0
    return member


class Archive:
    """A ``.keras`` file, checked before anything in it is used.

    Args:
        path: of the file.

    Raises:
        ValueError: for a file that is no archive, is damaged, or has members that no archive of polykeras would have.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        try:
            self._sealed = files.is_sealed(self._file, self.path)
            self._zip = zipfile.ZipFile(self._file)
            self._check_members()
            self.metadata = self.json(METADATA) if METADATA in self._zip.namelist() else {}
            self._check_seal()
        except BaseException as error:
            self._file.close()
            if not isinstance(error, zipfile.BadZipFile):
                raise
            raise ValueError(
                f"Expected {str(path)!r} to be a .keras file, which is a zip archive. Received: {error}. "
                f"It may be truncated: use another copy."
            ) from None

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()
        self._file.close()

    def _check_seal(self) -> None:
        """Reject an archive without its seal, unless another program repacked the same members."""
        claims = "polykeras_version" in self.metadata
        if claims and not self._sealed and self._ends_without_comment() and self._zip.testzip() is None:
            files.warn_of_missing_seal(self.path)
        else:
            files.check_claim(self.path, self._sealed, claims)

    def _ends_without_comment(self) -> bool:
        """Whether the archive is complete, and the comment that held its seal was not removed or changed."""
        self._file.seek(-_END_SIZE, os.SEEK_END)
        end = self._file.read(_END_SIZE)
        return end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0")

    def _refuse(self, what: str) -> None:
        raise ValueError(
            f"Expected {str(self.path)!r} to hold plain members with relative names. Received: {what}. "
            f"The file is damaged or malicious; it is not loaded."
        )

    def _check_members(self) -> None:
        members = self._zip.infolist()
        names = [member.filename for member in members]
        if len(set(names)) < len(names):
            self._refuse(f"names that occur twice, {naming.listed(sorted({n for n in names if names.count(n) > 1}))}")
        size = os.fstat(self._file.fileno()).st_size
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
            self._refuse(f"no {CONFIG} among {naming.listed(names)}")

    def json(self, name: str) -> Any:
        """Return a member that contains JSON.

        Raises:
            ValueError: if it is too long, damaged, or not JSON.
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
    def weights(self) -> Iterator[hdf5.Reader]:
        """Context manager: a Reader of ``model.weights.h5``, without copying it if it is not compressed."""
        if WEIGHTS not in self._zip.namelist():
            self._refuse(f"no {WEIGHTS} among {naming.listed(self._zip.namelist())}")
        member = self._zip.getinfo(WEIGHTS)
        name = f"{WEIGHTS} in {self.path}"
        if member.compress_type == zipfile.ZIP_STORED:
            if not self._sealed:
                self._read_through(member, lambda chunk: None)
            with hdf5.reading_part(_Part(self._file, self._start(member), member.file_size), name) as reader:
                yield reader
        else:
            with tempfile.TemporaryFile() as copy:
                self._read_through(member, copy.write)
                with hdf5.reading_part(copy, name) as reader:
                    yield reader

    def assets(self) -> list[str]:
        """Return the names of the files below ``assets/``."""
        names = (name.removeprefix(ASSETS) for name in self._zip.namelist() if name.startswith(ASSETS))
        return [name for name in names if name and not name.endswith("/")]

    def copy_asset(self, name: str, path: Path) -> None:
        """Copy a file below ``assets/`` to a path."""
        with open(path, "wb") as file:
            self._read_through(self._zip.getinfo(ASSETS + name), file.write)

    def _start(self, member: zipfile.ZipInfo) -> int:
        """Return where the bytes of a member begin: its local header ends with a name and extra fields."""
        self._file.seek(member.header_offset + 26)
        return member.header_offset + 30 + sum(struct.unpack("<HH", self._file.read(4)))

    def _read_through(self, member: zipfile.ZipInfo, use: Callable[[bytes], Any]) -> None:
        """Read a member to its end, which verifies its checksum."""
        try:
            with self._zip.open(member) as source:
                while chunk := source.read(1 << 20):
                    use(chunk)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise ValueError(
                f"Expected {member.filename!r} in {str(self.path)!r} to be intact. Received: {error}. Use another copy."
            ) from None


class _Part(io.RawIOBase):
    """A range of bytes of a file, as a file."""

    def __init__(self, file: Any, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._place = 0

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
