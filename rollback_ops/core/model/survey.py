"""Facts about a host and its releases. All are frozen; seconds are floats."""

from __future__ import annotations

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model.words import LiveState, Mark, UnitState


@frozen
class ServiceId:
    """One service in one environment: what the state on a host belongs to."""

    service: str
    environment: str


@frozen
class Release:
    """One directory under the releases directory, as a host sees it.

    ``problem`` says why the host would not run it (empty: nothing found). ``modified`` is in
    seconds since the epoch. ``size_kib`` is None when it was not asked for. The facts about when it became live:
    ``created`` (its directory, seconds since the epoch; 0 where the host cannot say), ``live_since`` (our first note
    that it was live; 0 for an unknown time, None without a note), ``logged`` (its place in a deployment tool's log,
    from 1; 0 where it is not in one). ``marked_by`` is the run that marked it, ``marked_why`` the reason. ``left_by``
    is the rollback that left it without evidence against it (empty: none did), ``left_why`` the reason.
    """

    name: str
    modified: float = 0.0
    revision: str = ""
    problem: str = ""
    mark: Mark = ""
    sealed: bool = False
    size_kib: int | None = None
    created: float = 0.0
    live_since: float | None = None
    logged: int = 0
    marked_by: str = ""
    marked_why: str = ""
    left_by: str = ""
    left_why: str = ""

    @property
    def was_left(self) -> bool:
        """Whether a rollback left it without evidence against it, and no verification has passed since."""
        return bool(self.left_by)

    @property
    def was_live(self) -> bool:
        """Whether anything says that it was ever live: a verification, a rollback, or a deployment tool's log."""
        return self.mark == "good" or self.was_left or self.live_since is not None or self.logged > 0


@frozen
class BadRevision:
    """A revision that is marked bad. ``release`` had it, and may be deleted. ``run`` marked it, because of ``why``."""

    revision: str
    release: str = ""
    run: str = ""
    why: str = ""


@frozen
class Live:
    """The state of the ``current`` link. ``name``: the release, when it is in the releases directory."""

    state: LiveState
    name: str = ""
    path: str = ""
    revision: str = ""


@frozen
class Unit:
    """One unit (or program, or container) of the service, in the same terms for all managers.

    ``blocker`` says why it could not be started again once it is stopped (empty: nothing found). ``old`` names a
    process that began before the service was started, and may still answer for it.
    """

    name: str
    state: UnitState
    pid: int = 0
    restarts: int = 0
    invocation: str = ""
    detail: str = ""
    blocker: str = ""
    old: str = ""


@frozen
class Lease:
    """A run's claim on a host. ``expires_in`` is in seconds, ``until`` by the host's own clock: renewing moves it."""

    run: str
    owner: str
    run_url: str = ""
    since: str = ""
    expires_in: float = 0.0
    until: str = ""


@frozen
class HeldRelease:
    """A release that a hold is about, and its revision; empty where it has none."""

    release: str
    revision: str = ""


@frozen
class Hold:
    """A hold: what must not be deployed, until when, and who set it. Times are in seconds since the epoch.

    ``id`` is the run that set it. ``releases``: those that were left; empty: everything. ``lifted_by``: who
    lifted it, with ``lifted_because``; empty while nobody has. ``readable``: False where a host stores a damaged one.
    """

    id: str
    by: str
    reason: str
    since: float
    until: float
    releases: tuple[HeldRelease, ...] = ()
    lifted_by: str = ""
    lifted_because: str = ""
    readable: bool = True


@frozen
class Armed:
    """A host that goes back to ``target`` by itself at ``until``, unless somebody confirms before."""

    run: str
    target: str
    until: str
    by: str = ""


@frozen
class OpenTransaction:
    """A transaction that a host began and did not finish. ``source`` is what ``current`` pointed at.

    ``left`` is the release into which that led; empty where a host does not say.
    """

    run: str
    source: str
    target: str
    left: str = ""

    @property
    def origin(self) -> str:
        """The name of the release that was live when the transaction began."""
        return self.left or self.source.rstrip("/").rsplit("/", 1)[-1]


@frozen
class OpenDrill:
    """A drill that has gone from ``start`` back to ``target``, and whose way forward was not taken yet."""

    run: str
    start: str
    target: str


@frozen
class Survey:
    """Everything that a plan needs to know about one host, read in one operation.

    ``blockers`` say why nothing can be changed there. ``warnings`` hold back everything but an
    emergency. ``deploying`` says that a deployment is under way: it holds back what does not ignore it. ``notes`` hold
    back nothing. ``reaches``: other units, and unit files, that a rollback reaches there. ``seconds`` is the duration
    of the survey.
    """

    host: str
    releases: tuple[Release, ...] = ()
    live: Live = Live("missing")
    units: tuple[Unit, ...] = ()
    lease: Lease | None = None
    unfinished: OpenTransaction | None = None
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()
    deploying: tuple[str, ...] = ()
    seconds: float = 0.0
    bad_revisions: tuple[BadRevision, ...] = ()
    holds: tuple[Hold, ...] = ()
    armed: Armed | None = None
    drill: OpenDrill | None = None

    @property
    def interrupted(self) -> OpenTransaction | None:
        """The unfinished transaction, unless another release was made live since."""
        found = self.unfinished
        if found and self.live.state == "release" and self.live.name not in (found.origin, found.target):
            return None
        return found

    @property
    def origin(self) -> str:
        """The release that a rollback leaves: the one that an interrupted transaction left, else the live one."""
        found = self.interrupted
        return found.origin if found else self.live.name

    @property
    def open_drill(self) -> OpenDrill | None:
        """The drill that was interrupted, unless another release was made live since.

        What is live is then no choice of anybody: neither a rollback nor a deployment made it live.
        """
        found, live = self.drill, self.live.name
        if found is None or found.start == found.target or self.live.state != "release":
            return None
        is_open = live == found.target or (live == found.start and self.interrupted is not None)
        return found if is_open else None

    def release(self, name: str) -> Release | None:
        return next((r for r in self.releases if r.name == name), None)
