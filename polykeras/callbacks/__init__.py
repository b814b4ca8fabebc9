"""Callbacks: objects whose methods are called at fixed points of training."""

from typing import TYPE_CHECKING

from polykeras.callbacks.averages import SwapEMAWeights
from polykeras.callbacks.callback import Callback, CallbackList, History
from polykeras.callbacks.checkpoints import ModelCheckpoint
from polykeras.callbacks.lambda_callback import LambdaCallback
from polykeras.callbacks.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from polykeras.callbacks.loggers import BaseLogger, CSVLogger, RemoteMonitor
from polykeras.callbacks.progress import ProgbarLogger
from polykeras.callbacks.stopping import EarlyStopping, TerminateOnNaN
from polykeras.core import lazy

__all__ = [
    "BackupAndRestore",
    "BaseLogger",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.callbacks.backup import BackupAndRestore as BackupAndRestore
    from polykeras.callbacks.orbax import OrbaxCheckpoint as OrbaxCheckpoint
    from polykeras.callbacks.tensorboard import TensorBoard as TensorBoard
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        members={
            "polykeras.callbacks.backup": ["BackupAndRestore"],
            "polykeras.callbacks.orbax": ["OrbaxCheckpoint"],
            "polykeras.callbacks.tensorboard": ["TensorBoard"],
        },
    )
