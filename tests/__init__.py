"""The tests: unit (no I/O), integration (real servers), acceptance (real processes), and the rest.

They bring their servers up by themselves (``tests.servers``) and never touch those that
``./sov up`` or the environment point at.
"""
