"""`python -m mtbsync_daemon` is `mtbsync`: what services start, wherever the program itself lies."""

from __future__ import annotations

import sys

from mtbsync_daemon.cli import main

sys.exit(main())
