"""Everything outside the hosts: GitHub, webhooks, git, Prometheus, a language model, and the record file."""
