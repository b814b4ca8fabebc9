"""The command: ``python -m polykeras``."""

from polykeras.cli import main

raise SystemExit(main())
