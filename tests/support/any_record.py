"""Any record that can be, with texts that are long, odd or hostile. For property tests."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from rollback_ops.core.record import HostOutcome, Outcome
from tests.support.records import record

texts = st.text(max_size=60) | st.builds(
    lambda character, times: character * times,
    st.sampled_from(["&", "<!channel>", "🚑", "\n", "@", "x", "\u200b", "\\", '"', "_"]),
    st.sampled_from([1, 150, 1_000, 5_000]),
)
names = st.none() | texts
refs = st.fixed_dictionaries({"release": names, "revision": names})
checks = st.fixed_dictionaries(
    {"name": texts, "kind": texts, "outcome": st.sampled_from(["passed", "failed", "skipped"]), "detail": texts}
)
steps = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["find", "stop", "switch"]) | texts,
        "seconds": st.floats(0, 1e6),
        "outcome": st.sampled_from(["ok", "warning", "failed", "skipped"]),
        "detail": texts,
    }
)
hosts = st.fixed_dictionaries(
    {
        "host": texts,
        "outcome": st.sampled_from(get_args(HostOutcome)),
        "from": refs,
        "to": refs,
        "detail": texts,
        "steps": st.lists(steps, max_size=3),
        "checks": st.lists(checks, max_size=2),
    }
)
records = st.fixed_dictionaries(
    {
        "service": texts,
        "environment": texts,
        "reason": texts,
        "actor": texts,
        "run_url": names,
        "outcome": st.sampled_from(get_args(Outcome)),
        "from": refs,
        "to": refs,
        "hosts": st.builds(lambda each, times: each * times, st.lists(hosts, max_size=2), st.sampled_from([1, 30])),
        "rejected": st.lists(st.fixed_dictionaries({"release": texts, "why": texts}), max_size=3),
        "deployment": st.fixed_dictionaries({"id": st.none() | st.integers(0), "url": names}),
        "warnings": st.lists(texts, max_size=3),
    }
).map(lambda words: record(**words))
