"""The conformance suite: what every adapter must do, and how to check that it does.

>>> from polykeras import backends
>>> from polykeras.testing import conformance
>>> print(conformance.check(backends.load("numpy"), only="of logical_and"))
3 checks of numpy passed.
"""
