"""Where messages travel and what they look like.

Names, partitions, queue declarations, envelopes, broker connections, and the settings and logs that
every process of the system shares. Knows the ledger's commands and outcomes, and nothing of
producers, consumers or HTTP: it must never import them.
"""
