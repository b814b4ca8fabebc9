"""Files published by the Keras authors: trained weights, and the names of the ImageNet classes."""

from __future__ import annotations

from dataclasses import dataclass

from polykeras import config
from polykeras.datasets.downloads import get_file

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications"

_FOLDER = "models"


@dataclass(frozen=True)
class Download:
    """A file to download.

    Args:
        url: URL of the file.
        file_hash: MD5 or SHA-256 hash, or None if none was published.
        name: local file name; default the last part of the URL.
    """

    url: str
    file_hash: str | None = None
    name: str | None = None

    @property
    def file_name(self) -> str:
        """The local file name."""
        return self.name or self.url.rpartition("/")[2]


def both(stem: str, hashes: tuple[str | None, str | None], without_top: str = "_notop") -> tuple[Download, Download]:
    """Return the downloads of the weights with and without the top, whose URLs differ in their suffixes.

    >>> both("vgg16/vgg16", (None, None))[1].file_name
    'vgg16_notop.h5'
    """
    addresses = (f"{STORAGE}/{stem}.h5", f"{STORAGE}/{stem}{without_top}.h5")
    return Download(addresses[0], hashes[0]), Download(addresses[1], hashes[1])


def path_of(download: Download, what: str) -> str:
    """Return the path of a file, after downloading it if necessary.

    Args:
        download: the file.
        what: name of the function that needs it, for the message.

    Raises:
        OSError: if the file is missing and can't be downloaded; the message says where to put it.
    """
    try:
        return get_file(
            download.file_name, download.url, cache_subdir=_FOLDER, file_hash=download.file_hash, hash_algorithm="auto"
        )
    except OSError as error:
        raise OSError(
            f"{what}: Expected {download.file_name!r} in {str(config.home() / _FOLDER)!r}, or to download it from "
            f"{download.url}. Received: {_reason(error)} Put the file into that folder, or pass weights=None or the "
            f"path of a file."
        ) from error


def _reason(error: OSError) -> str:
    return str(error).rpartition("Received: ")[2][:120].rstrip(". ") + "."
