"""Where batches come from: arrays on the device, rows read in pieces, datasets, and anything that yields batches.

A source has ``steps`` (batches an epoch, None while unknown), ``spec()`` (a first batch, as it will
come), ``begin()`` (False if no batch is left for another epoch), ``batches(epoch)`` and ``close()``.
"""
