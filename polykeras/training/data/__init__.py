"""Sources of batches: arrays on the device, arrays read in parts, datasets, and any iterable of batches.

A source has ``steps`` (batches per epoch, None if unknown), ``spec()`` (the first batch, as steps will receive
it), ``begin()`` (False if no batch is left for another epoch), ``batches(epoch)`` and ``close()``.
"""
