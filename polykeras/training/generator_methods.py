"""Keras 2's methods for generators; ``fit``, ``evaluate`` and ``predict`` accept generators too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from polykeras.core import trees


class GeneratorMethods:
    """``fit_generator`` and its counterparts, with their own argument order."""

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
            steps_per_epoch, validation_steps: int, the number of batches; None for all.
            epochs, verbose, callbacks, validation_data, validation_freq, class_weight, shuffle,
                initial_epoch: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are prepared in parallel; see
                ``fit``.
            **kwargs: these arguments under their Keras 1 names; ``samples_per_epoch`` and ``nb_val_samples`` count
                samples.
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
            steps: int, the number of batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are prepared in parallel; see
                ``fit``.
            val_samples: int, the number of rows, as in Keras 1; default None.
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
            steps: int, the number of batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are prepared in parallel; see
                ``fit``.
            val_samples: int, the number of rows, as in Keras 1; default None.
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
    """Return data, and the steps in an epoch of a given number of samples, from the size of the first batch.

    That batch is put back; if a generator has a ``batch_size``, none is consumed.
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
