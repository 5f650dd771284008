"""A seeded workload under faults, and an auditor that shares no code with the ledger.

``history`` records what callers asked and heard; ``auditor`` replays it against the rows of the
books; ``torture`` runs both against a real system that is killed, frozen and cut meanwhile.

``history``, ``rows``, ``findings``, ``auditor`` and the ``rules_…`` modules must never import what
they judge; ``test_auditor`` proves it.
"""
