"""Choose the release to go back to: ``make`` decides, ``candidates`` compares, ``blockers`` looks at the hosts."""

from rollback_ops.core.plan.blockers import NOT_LIVE, OPEN_DRILL
from rollback_ops.core.plan.candidates import LAST_RESORT, LEFT_TOO, NEVER, NEVER_LIVE, UNCLEAR
from rollback_ops.core.plan.make import HostPlan, Plan, make_plan, resume_plan, way_back
from rollback_ops.core.plan.selection import NothingToDo, Refusal, Rejected, Selection, Unfinished

__all__ = [
    "LAST_RESORT",
    "LEFT_TOO",
    "NEVER",
    "NEVER_LIVE",
    "NOT_LIVE",
    "OPEN_DRILL",
    "UNCLEAR",
    "HostPlan",
    "NothingToDo",
    "Plan",
    "Refusal",
    "Rejected",
    "Selection",
    "Unfinished",
    "make_plan",
    "resume_plan",
    "way_back",
]
