"""Small datasets for experiments: the digits are included, the others are downloaded once."""

from typing import TYPE_CHECKING

from polykeras.core import lazy

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.datasets import boston_housing as boston_housing
    from polykeras.datasets import california_housing as california_housing
    from polykeras.datasets import cifar10 as cifar10
    from polykeras.datasets import cifar100 as cifar100
    from polykeras.datasets import digits as digits
    from polykeras.datasets import fashion_mnist as fashion_mnist
    from polykeras.datasets import imdb as imdb
    from polykeras.datasets import mnist as mnist
    from polykeras.datasets import reuters as reuters
else:
    __getattr__, __dir__ = lazy.names(__name__, modules=__all__)
