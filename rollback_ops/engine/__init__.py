"""The story of a rollback: survey, plan, switch, verify, record. It uses ports only (``core.ports``)."""
