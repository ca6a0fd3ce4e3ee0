"""`python -m bayesdl`: the command, where the scripts of an environment are not on the path."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
