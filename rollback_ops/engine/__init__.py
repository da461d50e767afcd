"""The steps of a rollback: survey, plan, switch, verify, record. They use ports only (``core.ports``)."""
