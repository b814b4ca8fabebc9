"""Keras 2's methods for generators; ``fit``, ``evaluate`` and ``predict`` take them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class GeneratorMethods:
    """``fit_generator`` and its kin, with their own order of arguments."""

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
            **kwargs: Keras 1's names of these arguments.
        """
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
    ) -> Any:
        """Evaluate on batches of a generator or ``Sequence``, as ``evaluate`` does.

        Args:
            generator: iterable of batches ``(x, y, sample_weight)``, or ``Sequence``.
            steps: int, how many batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are made beside the computation; see
                ``fit``.
        """
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
    ) -> Any:
        """Return the outputs for batches of a generator or ``Sequence``, as ``predict`` does.

        Args:
            generator: iterable of batches ``(x, y, sample_weight)``, or ``Sequence``.
            steps: int, how many batches; None for all.
            callbacks, verbose: see ``fit``.
            max_queue_size, workers, use_multiprocessing: how batches are made beside the computation; see
                ``fit``.
        """
        return self.predict(
            generator,
            steps=steps,
            callbacks=callbacks,
            verbose=verbose,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
        )
