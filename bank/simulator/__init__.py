"""A bank to work against: Investec's API with its quirks and its faults, on HTTP of its own.

What the bank publishes it does as published; what live clients report, as reported; what nobody has
written down is an ``Assumption``, named and changeable. Its books are a file, so that they outlive
a restart as a bank's do. It knows nothing of wallets and imports nothing of this project.
"""
