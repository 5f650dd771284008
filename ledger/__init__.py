"""Money and its rules, and the only code that writes the books.

Invariants (each is a named check of ``ledger.audit``):

- the entries of a transfer sum to zero, and so do all wallets of a currency;
- a wallet's balance is the sum of its entries and the balance on its last one;
- nobody debits or reserves beyond the available balance;
- every command has at most one outcome, every idempotency key at most one effect, for ever;
- entries, transfers and outcomes are never changed.

Knows no AMQP and no HTTP. It must never import topology, producers, consumers, gateway or cli.
"""
