"""Downloads into a local directory: a file is complete and verified, or absent."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import math
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polykeras import config
from polykeras.callbacks.progbar import Progbar
from polykeras.datasets import archives

#: Where Keras publishes its datasets.
STORAGE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"

_CHUNK = 1 << 16
_TIMEOUT = 30
_TRIES = 5
_SCHEMES = ("http", "https", "file", "ftp")
#: Whether, as in Keras 2, names may be paths, and archives are extracted beside themselves.
extracts_beside = False


def get_file(
    fname: str | os.PathLike | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """Return the path of a file, after downloading it if necessary.

    An interrupted download is resumed where it stopped, or restarted if the server does not support that. The
    file gets its final name once it is complete and its hash is correct. Concurrent processes download it only once.

    Args:
        fname: str, local file name; default None, for the name in the URL.
        origin: str, URL with the scheme ``https``, ``http``, ``file`` or ``ftp``; required; default None.
        untar: bool, the Keras 2 name of ``extract`` for tar archives; default False.
        md5_hash: str, the Keras 2 name of ``file_hash``; default None.
        file_hash: str, expected hash of the file in hexadecimal digits; default None, for no check.
        cache_subdir: str, directory below ``cache_dir``, or an absolute path; default "datasets".
        hash_algorithm: ``"sha256"``, ``"md5"``, or ``"auto"`` to infer it from the length of the hash; default "auto".
        extract: bool, whether to extract the archive and return the path of the directory. A ``fname`` without a
            suffix is the name of the directory; one with a suffix is that of the archive, and the directory
            has its stem plus ``_extracted``; default False. In the era of Keras 2 it is extracted into the directory
            of the archive, whose path is returned.
        archive_format: ``"tar"`` (also compressed), ``"zip"``, ``"auto"`` for either, or None to not extract; default
            "auto".
        cache_dir: path; default ``$KERAS_HOME``, or else ``~/.keras``.
        force_download: bool, whether to download the file even if it exists; default False.

    Raises:
        ValueError: for invalid arguments, a wrong hash, or a malicious archive.
        OSError: if the file can't be downloaded.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("data")
    >>> path = get_file("b.txt", (folder / "a.txt").as_uri(), cache_dir=folder)  # doctest: +ELLIPSIS
    Downloading ...a.txt - 1/1 - ...
    >>> pathlib.Path(path).relative_to(folder).as_posix(), pathlib.Path(path).read_text()
    ('datasets/b.txt', 'data')
    """
    origin = _address(origin)
    name = _name(fname, origin)
    folder = Path(cache_dir).expanduser() if cache_dir is not None else config.home()
    folder = folder / cache_subdir
    folder.mkdir(parents=True, exist_ok=True)
    if extracts_beside:
        folder, name = (folder / name).parent, Path(name).name
    digest = _digest(file_hash or md5_hash, "md5" if md5_hash and not file_hash else hash_algorithm)
    wants_folder = extract or untar
    path, unpacked = _places(folder, name, wants_folder and (fname is None or not Path(name).suffix), untar)
    with _locked(folder / f".{name}.lock"):
        is_new = force_download or not (path.exists() and _matches(path, digest))
        if is_new:
            _Download(origin, path, digest).run()
        if not wants_folder:
            return str(path)
        kind = archives.kind_of(path, archive_format)
        if kind is None and archive_format:
            raise ValueError(f"Expected an archive of format {archive_format!r} at {origin!r}. Received: another file.")
        if kind is None:
            return str(path)
        if extracts_beside:
            _unpack_beside(path, kind)
        elif is_new or not unpacked.is_dir():
            _unpack(path, unpacked, kind)
    return str(unpacked)


def _places(folder: Path, name: str, is_folder_name: bool, untar: bool) -> tuple[Path, Path]:
    """The path of an archive, and the path to return for it."""
    if extracts_beside:
        return folder / (f"{name}.tar.gz" if untar else name), folder / name
    if is_folder_name:
        return folder / f"{name}_archive", folder / name
    return folder / name, folder / f"{Path(name).stem}_extracted"


def _address(origin: Any) -> str:
    if not isinstance(origin, str) or urllib.parse.urlsplit(origin).scheme.lower() not in _SCHEMES:
        raise ValueError(f"Expected origin to be a URL with one of the schemes {_SCHEMES}. Received: {origin!r}.")
    return origin


def _name(fname: Any, origin: str) -> str:
    """The local file name, which must not be a path."""
    name = (
        os.fspath(fname) if fname is not None else Path(urllib.parse.unquote(urllib.parse.urlsplit(origin).path)).name
    )
    is_path = "\0" in name if extracts_beside else set(name) & set("/\\:\0")
    if Path(name).name in ("", "..") or is_path:
        raise ValueError(
            f"Expected fname to be a plain name; folders go to cache_dir and cache_subdir. Received: fname={fname!r}, "
            f"origin={origin!r}."
        )
    return name


def _digest(value: str | None, algorithm: str) -> tuple[str, str] | None:
    """(algorithm, hexadecimal digits) of the expected hash."""
    if value is None:
        return None
    value = value.lower()
    if algorithm == "auto":
        algorithm = "sha256" if len(value) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ValueError(f"Expected hash_algorithm to be 'auto', 'sha256' or 'md5'. Received: {algorithm!r}.")
    return algorithm, value


def _matches(path: Path, digest: tuple[str, str] | None) -> bool:
    if digest is None:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(digest[0], usedforsecurity=False)).hexdigest() == digest[1]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Context manager: hold an exclusive lock between processes, which the system releases when one dies."""
    with open(path, "ab") as file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unpack(path: Path, folder: Path, kind: str) -> None:
    temporary = folder.with_name(f".{folder.name}.part")
    for old in (temporary, folder):
        if old.is_dir():
            shutil.rmtree(old)
    try:
        archives.extract(path, temporary, kind)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _unpack_beside(path: Path, kind: str) -> None:
    temporary = path.with_name(f".{path.name}.unpacked")
    _unpack(path, temporary, kind)
    shutil.copytree(temporary, path.parent, dirs_exist_ok=True)
    shutil.rmtree(temporary)


class _Download:
    """A download in progress; the partial file is next to the target, with the server's identifier of the version."""

    def __init__(self, origin: str, path: Path, digest: tuple[str, str] | None) -> None:
        self.origin = origin
        self.path = path
        self.digest = digest
        self._part = path.with_name(f".{path.name}.part")
        self._mark = path.with_name(f".{path.name}.part.json")

    def run(self) -> None:
        """Download the file, and give it its final name.

        Raises:
            ValueError: for a wrong hash.
            OSError: if all attempts have failed.
        """
        was_begun = self._part.exists()
        self._fetch()
        if was_begun and not _matches(self._part, self.digest):
            self._forget()  # an old partial file may be of another version
            self._fetch()
        if self.digest is not None and not _matches(self._part, self.digest):
            self._forget()
            raise ValueError(
                f"Expected {self.origin!r} to have the {self.digest[0]} hash {self.digest[1]}. Received: another file: "
                f"it was changed, or the hash is that of another version."
            )
        with open(self._part, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(self._part, self.path)
        self._mark.unlink(missing_ok=True)

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def _fetch(self) -> None:
        failure: Exception
        for again in range(_TRIES):
            try:
                return self._receive()
            except urllib.error.HTTPError as error:
                if error.code == 416:  # range not satisfiable: the partial file is of another version
                    self._forget()
                elif error.code < 500:
                    raise self._failure(error) from None
                failure = error
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None)
                if isinstance(reason, FileNotFoundError):
                    raise self._failure(reason) from None
                failure = error
            time.sleep(0.1 * 2**again)
        raise self._failure(failure)

    def _failure(self, error: BaseException) -> OSError:
        return OSError(f"Expected to download {self.origin!r}. Received: {error}.")

    def _receive(self) -> None:
        """Receive the file, or the rest of it.

        Raises:
            OSError, http.client.HTTPException: if the transfer is interrupted.
        """
        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {"User-Agent": "polykeras"}
        mark = json.loads(self._mark.read_text()) if self._mark.exists() else None
        if have and mark:
            headers |= {"Range": f"bytes={have}-", "If-Range": mark}
        with urllib.request.urlopen(urllib.request.Request(self.origin, headers=headers), timeout=_TIMEOUT) as response:
            is_rest = getattr(response, "status", None) == 206 and _start(response) == have
            length = response.headers.get("Content-Length")
            total = None if length is None else int(length) + have * is_rest
            mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
            if mark and not mark.startswith("W/"):  # a weak ETag does not guarantee identical bytes
                self._mark.write_text(json.dumps(mark))
            elif not is_rest:
                self._mark.unlink(missing_ok=True)  # it belongs to the partial file that is replaced
            seen = self._copy(response, "ab" if is_rest else "wb", have * is_rest, total)
        if total is not None and seen < total:
            raise OSError(f"{seen} of {total} bytes were received")

    def _copy(self, response: Any, mode: str, seen: int, total: int | None) -> int:
        bar = Progbar(total and math.ceil(total / 1024), unit_name="KiB", title=f"Downloading {self.origin}")
        with open(self._part, mode) as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                seen += len(chunk)
                bar.update(math.ceil(seen / 1024))
        return seen


def _start(response: Any) -> int | None:
    """The offset of a response in the file, from ``Content-Range: bytes 5-9/10``."""
    unit, _, span = (response.headers.get("Content-Range") or "").partition(" ")
    first = span.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else None
