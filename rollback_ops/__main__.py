"""``python -m rollback_ops``."""

from rollback_ops.cli import main

main()
