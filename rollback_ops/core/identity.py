"""The identity of a release besides its name. Tools that number releases reuse numbers, also across hosts. Pure."""

from __future__ import annotations

from rollback_ops.core.frozen import frozen
from rollback_ops.core.revision import same


@frozen
class ReleaseIdentity:
    """One release: its name, its revision, and when its directory was made, in seconds since the epoch.

    An empty revision, or 0, is not known.
    """

    name: str
    revision: str = ""
    made: float = 0.0

    def is_same_as(self, other: ReleaseIdentity) -> bool:
        """Return whether both are the same release of one host: the same name, and no known fact differs."""
        if self.name != other.name:
            return False
        if self.revision and other.revision:
            return same(self.revision, other.revision)
        return not (self.made and other.made) or self.made == other.made
