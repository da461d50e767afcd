"""How a record refers to the releases of hosts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from rollback_ops.core.model import Survey
from rollback_ops.core.order import live_at
from rollback_ops.core.record import ReleaseRef
from rollback_ops.core.revision import same
from rollback_ops.core.run import rfc3339


def reference(survey: Survey | None, name: str) -> ReleaseRef:
    """Return the record's reference to a release of a host."""
    release = survey.release(name) if survey else None
    if release is None:
        return ReleaseRef(release=name or None)
    return ReleaseRef(release=name, revision=release.revision or None, deployed_at=_moment(live_at(release)))


def common(references: Sequence[ReleaseRef]) -> ReleaseRef:
    """Return the reference that most hosts share, with the time of the first host that it was deployed to.

    Where one revision has several names, the reference has no name.
    """
    known = [each for each in references if each.release]
    if not known:
        return ReleaseRef()
    what = [(each.release, each.revision) for each in known]
    most = Counter(what).most_common(1)[0][0]
    alike = [ref for ref, each in zip(known, what, strict=True) if each == most]
    first = min(alike, key=lambda each: each.deployed_at or "9")
    names = {each.release for each in known if same(each.revision or "", first.revision or "")}
    return first if len(names) < 2 else first.model_copy(update={"release": None})


def _moment(at: float) -> str | None:
    """Format a time that a host told, which may be any number. 0: unknown."""
    try:
        return rfc3339(datetime.fromtimestamp(at, UTC)) if at else None
    except (ValueError, OverflowError):
        return None
