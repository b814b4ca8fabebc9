"""Keras 2's methods for generators; ``fit``, ``evaluate`` and ``predict`` take them too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from polykeras.core import trees


class GeneratorMethods:
    """``fit_generator`` and the like, with their own order of arguments."""

    fit: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]

    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        verbose: Any = 1,
        callbacks: Any = None,
        validation_data: Any = None,
        validation_steps: int | None = None,
        validation_freq: Any = 1,
        class_weight: dict | None = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        shuffle: Any = True,
        initial_epoch: int = 0,
        **kwargs: Any,
    ) -> Any:
        """Train on batches of a generator or ``Sequence``, as ``fit`` does.

        Args:
            generator: iterable of batches ``(x, y, sample_weight)``, or ``Sequence``.
            steps_per_epoch, validation_steps: int, how many batches; None for all.
            epochs, verbose, callbacks, validation_data, validation_freq, class_weight, shuffle,
                initial_epoch: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are made beside the computation; see
                ``fit``.
            **kwargs: Keras 1's names of these arguments; it counted samples, ``samples_per_epoch`` and
                ``nb_val_samples``.
        """
        generator, steps_per_epoch = _steps_of(generator, steps_per_epoch, kwargs.pop("samples_per_epoch", None))
        samples = kwargs.pop("nb_val_samples", kwargs.pop("val_samples", None))
        validation_data, validation_steps = _steps_of(validation_data, validation_steps, samples)
        return self.fit(
            generator,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            **kwargs,
        )

    def evaluate_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: Any = 0,
        val_samples: int | None = None,
    ) -> Any:
        """Evaluate on batches of a generator or ``Sequence``, as ``evaluate`` does.

        Args:
            generator: iterable of batches ``(x, y, sample_weight)``, or ``Sequence``.
            steps: int, how many batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are made beside the computation; see
                ``fit``.
            val_samples: int, how many rows, as Keras 1 counted; default None.
        """
        generator, steps = _steps_of(generator, steps, val_samples)
        return self.evaluate(
            generator,
            steps=steps,
            callbacks=callbacks,
            verbose=verbose,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
        )

    def predict_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: Any = 0,
        val_samples: int | None = None,
    ) -> Any:
        """Return the outputs for batches of a generator or ``Sequence``, as ``predict`` does.

        Args:
            generator: iterable of batches ``(x, y, sample_weight)``, or ``Sequence``.
            steps: int, how many batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are made beside the computation; see
                ``fit``.
            val_samples: int, how many rows, as Keras 1 counted; default None.
        """
        generator, steps = _steps_of(generator, steps, val_samples)
        return self.predict(
            generator,
            steps=steps,
            callbacks=callbacks,
            verbose=verbose,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
        )


def _steps_of(data: Any, steps: int | None, samples: int | None) -> tuple[Any, int | None]:
    """Return data, and the steps an epoch of as many samples has: they are told by the first batch's size.

    The batch is put back; of a generator that tells its ``batch_size`` none is taken.
    """
    if samples is None or steps is not None or isinstance(data, list | tuple):
        return data, steps
    size = getattr(data, "batch_size", None)
    if size is None and hasattr(data, "__getitem__"):
        size = len(trees.leaves(data[0])[0])
    elif size is None:
        iterator = iter(data)
        first = next(iterator)
        size = len(trees.leaves(first)[0])
        data = itertools.chain([first], iterator)
    return data, -(-samples // size)
