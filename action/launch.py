"""Starts the package beside this directory with libraries of its own: ``launch.py LIBRARIES COMMAND …``.

To be run with ``-I -S``: then nothing else can be imported but the standard library, which comes first.
"""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), sys.argv.pop(1)]

from rollback_ops.__main__ import main

main()
