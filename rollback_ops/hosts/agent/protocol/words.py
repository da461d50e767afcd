"""The meanings of the codes in an answer, in words for people.

Each code of ``BLOCKERS`` has a row in docs/troubleshooting.md, and each of ``PROBLEMS`` stands in docs/commands.md.
"""

from __future__ import annotations

from rollback_ops.hosts.agent.protocol.fields import clean

BLOCKERS = {
    "no-tool": "the command {0} is missing",
    "no-root": "there is no directory {0}: correct `root` in rollback.toml, or deploy first",
    "no-releases": "there is no releases directory {0}: correct `layout` in rollback.toml, or deploy first",
    "no-place-to-run": "{0} leads to no release, where the custom commands run: make it a link to what runs now",
    "not-writable": "the user {1} may not write to {0}",
    "read-only": "the file system of {0} is read-only",
    "disk-full": "the disk of {0} is full",
    "no-inodes": "the disk of {0} has no free inodes",
    "untrusted": "{0} {1}",
    "claimed": "its current belongs to {0} ({1}): two that share one would undo each other",
    "deploying": "a deployment is under way: {0} has been there since {1}",
    "no-link-source": "{0} is missing, and the release is to be linked to it",
    "no-sudo": "the user {1} lacks rights that a rollback needs (sudo without a password): add the line "
    "`{1} ALL=(root) NOPASSWD: {0}` with `visudo -f /etc/sudoers.d/rollback-ops`",
    "sudo-failed": "the user {1} cannot run `sudo {0}`: {2}",
}

# Warnings: facts that a person should know, and that do not prevent a rollback.
NOTES = {
    "triggered-by": "{0} may start the service at any moment: name it in `units`, so that a rollback stops it, too",
    "armed": "it goes back to {0} by itself at {1}, unless `confirm` or a healthy `guard` comes before (armed by {2})",
    "armed-lost": "it was armed by {2} to go back to {0} at {1}, and was booted since: it stays as it is now",
    "unconfirmed": "nobody confirmed {0}, so it went back to {1} by itself at {2} ({3}): nobody has verified it",
    "over-a-link": "current leads over the link {0}, and after a rollback no more: let deployments change current",
    "pin-by-name": "`pin` has no effect on the clean-up of {0}, which ignores times: let it keep more releases instead",
    "pin-not-owner": "`pin` has no effect: only the owner of {0}, or root, may set its time",
    "no-linger": "the user {0} does not linger, so the service ends with the last session: loginctl enable-linger {0}",
}

PROBLEMS = {
    "link": "it is a link, not a directory of its own",
    "not-a-directory": "it is not a directory",
    "not-a-file": "it is not a file, as the live release is",
    "unreadable": "its directory cannot be read",
    "empty": "it is empty",
    "being-deployed": "it is still being deployed",
}

BAD_NAME = "a release's name has at most 128 letters, digits and ._+:@~=,- and begins with a letter, a digit or _"


def explained(fields: list[str]) -> str:
    code, *details = fields
    words = {**BLOCKERS, **NOTES}.get(code)
    return words.format(*map(clean, details)) if words else clean(code)
