"""Keeping one machine's processes alive: what ``./sov up`` runs.

Promises: what it started and finds dead or silent is started again, for ever; what it stops is
drained first, in the order in which work flows; if it is killed itself, its children end with it
and the servers stay. It decides nothing about money: every rule survives any process dying at any
time.
"""
