"""Extraction of untrusted archives: nothing is written outside the directory, and there are no links."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

_CHUNK = 1 << 20


def kind_of(path: str | os.PathLike, archive_format: Any = "auto") -> str | None:
    """Return ``"tar"``, ``"zip"``, or None for a file that is not of a requested format.

    Args:
        path: path of the file.
        archive_format: ``"tar"``, ``"zip"``, a list of these, ``"auto"`` for both, or None for none; default "auto".

    Raises:
        ValueError: for another format.
    """
    wanted = [archive_format] if isinstance(archive_format, str) else list(archive_format or ())
    wanted = ["tar", "zip"] if wanted == ["auto"] else wanted
    tests = {"tar": tarfile.is_tarfile, "zip": zipfile.is_zipfile}
    for name in wanted:
        if name not in tests:
            raise ValueError(
                f"Expected archive_format to be 'auto', 'tar', 'zip' or None. Received: {archive_format!r}."
            )
        if tests[name](path):
            return name
    return None


def extract(path: str | os.PathLike, folder: str | os.PathLike, kind: str) -> None:
    """Extract an archive into a new directory, file by file.

    Args:
        path: path of the archive.
        folder: path of the directory to create; it must not exist.
        kind: ``"tar"`` or ``"zip"``.

    Raises:
        ValueError: for members that are not plain files or directories with relative names, for duplicate names,
            for archives that unpack to more than ``polykeras.saving.limits`` allows, and for damaged archives.
    """
    members = _tar_members if kind == "tar" else _zip_members
    try:
        Path(folder).mkdir(parents=True)
        allowance = _Allowance(path)
        for name, source in members(path, allowance):
            _write(Path(folder), name, source, allowance)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"Expected {str(path)!r} to be a complete archive of plain files, each once. Received: {error}."
        ) from None


class _Allowance:
    """The number of bytes that an archive may still unpack to."""

    def __init__(self, path: str | os.PathLike) -> None:
        from polykeras.saving import limits  # imported late: saving is above this package

        self.path = path
        self._left = min(limits.total, limits.ratio * max(os.path.getsize(path), 1 << 16))

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError(
                f"Expected {str(self.path)!r} to unpack to sizes within polykeras.saving.limits. Received: a file that "
                f"unpacks to far more than its own size."
            )

    def refuse(self, what: str) -> None:
        raise ValueError(
            f"Expected {str(self.path)!r} to hold plain files and folders with relative names. Received: {what}. The "
            f"archive is malicious; nothing of it is kept."
        )


def _tar_members(path: str | os.PathLike, allowance: _Allowance) -> Iterator[tuple[str, Any]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if not (member.isreg() or member.isdir()):
                allowance.refuse(f"a link or device, {member.name!r}")
            allowance.take(0 if member.isdir() else member.size)
            yield member.name, None if member.isdir() else archive.extractfile(member)


def _zip_members(path: str | os.PathLike, allowance: _Allowance) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                allowance.refuse(f"a link or device, {member.filename!r}")
            allowance.take(member.file_size)
            if member.is_dir():
                yield member.filename, None
            else:
                with archive.open(member) as source:
                    yield member.filename, source


def _write(folder: Path, name: str, source: Any, allowance: _Allowance) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name:
        allowance.refuse(f"the name {name!r}")
    target = folder.joinpath(*parts.parts)
    if source is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "xb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
