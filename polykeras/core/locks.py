"""Locks that several rooms share."""

from __future__ import annotations

import threading

# While one thread traces or records a step, the slots of variables hold what tells of it; no other
# may read them then.
slots_lock = threading.RLock()
