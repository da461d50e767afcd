"""The world beside the hosts: GitHub, the webhook, and the record file."""
