"""HTTP in front of the ledger: routes, bodies, keys, problems, and nothing that moves money.

Promises: every write becomes a command in the queue, under an actor and a deadline; every refusal
is one problem document (``gateway.problems`` is the only place that knows their status codes);
every wait ends; a route without declared scopes cannot be served. The books are only read, and only
with a role that could not write them.

May import producers, topology and ledger; must never import consumers or cli.
"""
