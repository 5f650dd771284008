"""Everything that consumes: the worker that applies commands, partition by partition.

Invariants: a partition's messages are applied in the order in which the broker gave them out; a
message is acked only when every command in it has an outcome in the books; nothing is answered that
is not committed; a process that was replaced writes nothing more.

May import producers, topology and ledger; must never import gateway or cli.
"""
