"""Names of Keras 2.11, which are the same optimizers here."""

from polykeras.optimizers.adagrad import Adagrad, Ftrl, RMSprop
from polykeras.optimizers.adam import Adam
from polykeras.optimizers.optimizer import Optimizer
from polykeras.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
