"""Its three networks, with the weights that the package carries, on a drawn picture."""

import numpy as np
from mtcnn import MTCNN

PACKAGE = "mtcnn"
ENGINES = ("tensorflow",)  # it imports tensorflow

picture = np.full((80, 80, 3), 200, "uint8")
picture[20:60, 25:55] = (224, 172, 105)
picture[32:36, 32:36] = picture[32:36, 44:48] = picture[50:53, 34:46] = 30
detector = MTCNN()
found = detector.detect_faces(picture, threshold_pnet=0.3, threshold_rnet=0.1, threshold_onet=0.0)
assert isinstance(found, list)
assert all(0 <= face["confidence"] <= 1 and len(face["box"]) == 4 for face in found), found
