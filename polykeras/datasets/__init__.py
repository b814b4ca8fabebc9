"""Data to try things on: digits come along, the others are downloaded once."""

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

__getattr__, __dir__ = lazy.names(__name__, modules=__all__)
