"""What runs at fixed moments of training."""

from polykeras.callbacks.averages import SwapEMAWeights
from polykeras.callbacks.backup import BackupAndRestore
from polykeras.callbacks.callback import Callback, CallbackList, History
from polykeras.callbacks.checkpoints import ModelCheckpoint
from polykeras.callbacks.lambda_callback import LambdaCallback
from polykeras.callbacks.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from polykeras.callbacks.loggers import BaseLogger, CSVLogger, RemoteMonitor
from polykeras.callbacks.orbax import OrbaxCheckpoint
from polykeras.callbacks.progress import ProgbarLogger
from polykeras.callbacks.stopping import EarlyStopping, TerminateOnNaN
from polykeras.callbacks.tensorboard import TensorBoard

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
