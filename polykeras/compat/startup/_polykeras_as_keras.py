"""Runs when Python starts with POLYKERAS_AS_KERAS=1: imports polykeras at the first import of Keras, not before."""

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec

ROOTS = ("keras", "tf_keras", "tensorflow")


class Waiting(importlib.abc.MetaPathFinder):
    """Installs polykeras's own finder at the first import of Keras or TensorFlow."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ROOTS:
            return None
        sys.meta_path.remove(self)
        from polykeras.compat.alias import install_as_keras

        install_as_keras()
        return importlib.util.find_spec(fullname)


sys.meta_path.insert(0, Waiting())
