"""The command line interface: ``python -m polykeras``."""

from polykeras.cli import main

raise SystemExit(main())
