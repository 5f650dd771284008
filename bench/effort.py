"""How much is measured, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Sizes of all scenarios. Every throughput is measured ``rounds`` times, each system in turn
    within a round, so that what drifts meanwhile (temperature, neighbours) meets all of them."""

    name: str
    rounds: int
    warm_up_s: float
    """Load that does not count, after every start."""
    point_s: float
    """Load that counts."""
    tuning_s: float
    """Load per way in which a baseline may be set up."""
    direct_connections: tuple[int, ...]
    """How many connections to PostgreSQL the direct baseline is tried with."""
    single_consumers: tuple[int, ...]
    """How many consumers one message per command is tried with."""
    wallets: int
    connections: tuple[int, ...]
    """Of the closed loop, ascending."""
    full_connections: int
    """Where one number of connections has to do."""
    rates: tuple[int, ...]
    """Requests per second of the open loop, ascending."""
    rate_s: float
    held_s: float
    """How long the highest rate that was good has to be held; 0: not asked."""
    growth: tuple[int, int]
    """Transfers in the books, before and after."""
    wallet_counts: tuple[int, ...]
    soak_commands: int
    limit_rows: int
    bulk_lines: int
    """Of the file that is taken all the way."""
    reconciled: int
    """Transfers that an extract of as many lines is compared with."""


FULL = Effort(
    name="full",
    rounds=3,
    warm_up_s=3,
    point_s=10,
    tuning_s=5,
    direct_connections=(8, 16, 32),
    single_consumers=(1, 2, 4, 8),
    wallets=1_000,
    connections=(1, 8, 64, 256, 512),
    full_connections=256,
    rates=(100, 500, 1_000, 1_500),
    rate_s=60,
    held_s=600,
    growth=(100_000, 1_000_000),
    wallet_counts=(1_000, 100_000, 1_000_000),
    soak_commands=1_000_000,
    limit_rows=200_000,
    bulk_lines=1_000_000,
    reconciled=1_000_000,
)
QUICK = Effort(
    name="quick",
    rounds=1,
    warm_up_s=1,
    point_s=3,
    tuning_s=2,
    direct_connections=(16,),
    single_consumers=(1, 4),
    wallets=1_000,
    connections=(1, 64, 256),
    full_connections=256,
    rates=(100, 500),
    rate_s=5,
    held_s=0,
    growth=(10_000, 50_000),
    wallet_counts=(1_000, 10_000),
    soak_commands=20_000,
    limit_rows=20_000,
    bulk_lines=20_000,
    reconciled=20_000,
)
