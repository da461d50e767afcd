"""The parts of the help beside the options: commands in groups by purpose, and an example of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import click

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Roll back": {
        "rollback": 'rollback-ops rollback prod --reason "logins fail since 14:05"',
        "resume": "rollback-ops resume prod",
        "schedule": 'rollback-ops schedule add prod --at 2026-12-24T03:00Z --reason "the promotion ends"',
        "shards": 'rollback-ops shards prod --size 100 --reason "logins fail"',
        "merge": "rollback-ops merge --plan rollback-plan.json records",
        "drill": "rollback-ops drill test --times 5",
        "verify": "rollback-ops verify prod",
        "mark": 'rollback-ops mark prod v1.11 bad --reason "it loses orders"',
    },
    "Look": {
        "check": "rollback-ops check prod",
        "list": "rollback-ops list prod",
        "preview": "rollback-ops preview prod --to v1.10",
        "advise": "rollback-ops advise prod",
        "outlook": "rollback-ops outlook prod --revision 6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "history": "rollback-ops history list prod --since 30d",
        "dashboard": "rollback-ops dashboard",
    },
    "Deploy with it": {
        "gate": "rollback-ops gate prod --revision 6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "arm": "rollback-ops arm prod --for 10m",
        "guard": "rollback-ops guard prod",
        "confirm": "rollback-ops confirm prod",
        "hold": 'rollback-ops hold prod --reason "the database is moved" --for 4h',
        "seal": "rollback-ops seal prod",
    },
    "Set up": {
        "init": "rollback-ops init deploy@shop1.example.org",
        "install": "rollback-ops install prod",
        "uninstall": "rollback-ops uninstall prod",
        "completion": 'eval "$(rollback-ops completion bash)"',
        "schema": "rollback-ops schema > rollback.schema.json",
        "demo": "rollback-ops demo",
    },
}
# Of the commands of a group.
_OF_GROUPS: Mapping[str, Mapping[str, str]] = {
    "history": {
        "list": GROUPS["Look"]["history"],
        "stats": "rollback-ops history stats --env prod",
        "show": "rollback-ops history show 20261124T140512Z-4f1d2c3b",
        "log": 'rollback-ops history log prod --backup v1.10 --reason "by hand, GitHub was down"',
    },
    "schedule": {
        "add": GROUPS["Roll back"]["schedule"],
        "list": "rollback-ops schedule list",
        "cancel": "rollback-ops schedule cancel 20261223T101500Z-4f1d2c3b",
        "run": "rollback-ops schedule run",
    },
}
_REST = "Other"


def example(path: str) -> str:
    """Return the example of a command, which ``path`` names as it is typed; empty where there is none."""
    name, _, part = path.removeprefix("rollback-ops").strip().partition(" ")
    if name in _OF_GROUPS and part:
        return _OF_GROUPS[name].get(part, "")
    return next((examples[name] for examples in GROUPS.values() if name in examples), "")


def grouped(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the titles of the groups, each with those of the commands that it has, in the order of the group."""
    left = list(names)
    for title, examples in GROUPS.items():
        found = [name for name in examples if name in left]
        left = [name for name in left if name not in found]
        if found:
            yield title, found
    if left:
        yield _REST, left


class Described(click.Command):
    """A command whose help shows an example before its options."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if shown := example(ctx.command_path):
            formatter.write_paragraph()
            formatter.write(f"  Example: {shown}\n")
