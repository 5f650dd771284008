"""The benchmark: how fast the product is, beside baselines that are written as well as it is.

It measures the product as ``./sov up`` runs it, on servers, books and queues of its own that are
gone afterwards; it changes no setting of the product and skips nothing of it. The baselines change
it from outside, in entry points of their own (``bench.baselines``). Every measurement says whether
its answers were the expected ones, and every scenario ends with an audit of the books.

May import everything; only ``cli/bench.py`` imports it, and it is not installed in production.
"""
