"""Private PostgreSQL and RabbitMQ servers for one project folder, and the ways to come by them.

Usable by the supervisor and by tests alike: everything a server needs is passed in, nothing is read
from the environment. A private server listens on loopback ports of its own, runs as an unprivileged
user, keeps its data in its own folder, and outlives whoever started it until ``stop`` is called: a
crash of ours must never be the reason for crash recovery of theirs.
"""
