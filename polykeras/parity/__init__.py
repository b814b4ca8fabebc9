"""One model on several engines: where they differ, by how much, and why.

``check`` runs a model on every backend and compares everything that its layers compute; ``match_weights`` and
``port_weights`` transfer weights from another library's model; ``assert_parity`` is for tests.

>>> import numpy as np, polykeras as keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
>>> keras.parity.check(model, np.ones((2, 4), "float32"), backends=["numpy"]).is_same
True
"""

from typing import TYPE_CHECKING

from polykeras.core import lazy

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.parity.checking import assert_parity as assert_parity
    from polykeras.parity.checking import check as check
    from polykeras.parity.comparison import Comparison as Comparison
    from polykeras.parity.comparison import Run as Run
    from polykeras.parity.comparison import compare as compare
    from polykeras.parity.matching import WeightMap as WeightMap
    from polykeras.parity.matching import match_weights as match_weights
    from polykeras.parity.porting import port_weights as port_weights
    from polykeras.parity.report import ParityError as ParityError
    from polykeras.parity.report import Report as Report
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        members={
            "polykeras.parity.checking": ["assert_parity", "check"],
            "polykeras.parity.comparison": ["Comparison", "Run", "compare"],
            "polykeras.parity.matching": ["WeightMap", "match_weights"],
            "polykeras.parity.porting": ["port_weights"],
            "polykeras.parity.report": ["ParityError", "Report"],
        },
    )
__all__ = [
    "Comparison",
    "ParityError",
    "Report",
    "Run",
    "WeightMap",
    "assert_parity",
    "check",
    "compare",
    "match_weights",
    "port_weights",
]
