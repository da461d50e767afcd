"""A workflow of another repository that uses the action, and what its run has to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.github_api.server import GitHubApi
from tests.support.lab.deploy import Deployed

Bot = Callable[..., Deployed]
REASON = "logins fail since the deploy"

# With every input that is text. The last step keeps what would be thrown away with the runner.
CALLER = """
name: Roll back
on:
  workflow_dispatch:
    inputs: { backup: {}, command: {}, emergency: {}, environment: {}, reason: {}, record: {}, trigger: {} }
permissions:
  contents: read
  deployments: write
jobs:
  rollback:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: acme/rollback-ops@v1
        id: rollback
        with:
          environment: ${{ inputs.environment || 'prod' }}
          command: ${{ inputs.command || 'rollback' }}
          reason: ${{ inputs.reason }}
          backup: ${{ inputs.backup }}
          trigger: ${{ inputs.trigger }}
          emergency: ${{ inputs.emergency }}
          record-deployment: ${{ inputs.record || 'true' }}
          ssh-key: ${{ secrets.SSH_KEY }}
          known-hosts: ${{ secrets.KNOWN_HOSTS }}
          webhook-url: ${{ secrets.WEBHOOK_URL }}
      - if: always()
        shell: sh
        run: cp -R "$RUNNER_TEMP" "$STANDIN_LEFT"
"""


def filed(api: GitHubApi) -> dict[str, Any]:
    """The one deployment that was filed as a rollback."""
    (deployment,) = api.repository.listed({"task": "rollback"})
    return deployment


def states(api: GitHubApi) -> list[str]:
    """The states of the deployment of the rollback, in their order."""
    return api.repository.states(filed(api)["id"])
