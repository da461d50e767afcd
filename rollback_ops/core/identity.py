"""The identity of a release besides its name. Tools that count use names again, and count on each host. Pure."""

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
        """Return whether both are one release of one host: the same name, and no known fact that differs."""
        if self.name != other.name:
            return False
        if self.revision and other.revision:
            return same(self.revision, other.revision)
        return not (self.made and other.made) or self.made == other.made
