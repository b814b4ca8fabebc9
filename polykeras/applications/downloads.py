"""Files that Keras's authors publish: trained weights, and the names of ImageNet's classes."""

from __future__ import annotations

from dataclasses import dataclass

from polykeras import config
from polykeras.datasets.downloads import get_file

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications"

_FOLDER = "models"


@dataclass(frozen=True)
class Download:
    """A file on the network.

    Args:
        url: address.
        file_hash: MD5 or SHA-256, or None where none was published.
        name: of the file in the folder; default the end of the address.
    """

    url: str
    file_hash: str | None = None
    name: str | None = None

    @property
    def file_name(self) -> str:
        """Name of the file in the folder."""
        return self.name or self.url.rpartition("/")[2]


def both(stem: str, hashes: tuple[str | None, str | None], without_top: str = "_notop") -> tuple[Download, Download]:
    """Return the weights with the top and without, whose addresses differ in their ends.

    >>> both("vgg16/vgg16", (None, None))[1].file_name
    'vgg16_notop.h5'
    """
    addresses = (f"{STORAGE}/{stem}.h5", f"{STORAGE}/{stem}{without_top}.h5")
    return Download(addresses[0], hashes[0]), Download(addresses[1], hashes[1])


def path_of(download: Download, what: str) -> str:
    """Return the path of a file, after downloading it if it isn't there.

    Args:
        download: which.
        what: who asks, for the message.

    Raises:
        OSError: saying which file belongs where, if it can't be had.
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
