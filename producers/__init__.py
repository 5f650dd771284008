"""Everything that publishes: commands and the wait for their outcomes, and the event relay.

Promises: what is refused with ``Unavailable`` was never written to the broker; what was written has
a command id that resolves to exactly one outcome, or to "never applied" after its deadline. Every
list is bounded and every wait ends.

May import topology and ledger; must never import consumers, gateway or cli.
"""
