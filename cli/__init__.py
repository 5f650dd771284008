"""`./sov`: private servers, the supervisor of one machine, and the commands people type.

The outermost package: it may import every other one and none of them may import it. It holds no
rule of the books. What it promises: nothing already on the machine is touched (ports, services,
files outside the project, with one announced exception in ``servers.places``), no secret is
readable by other users, and whatever it started can be found again and stopped, however it ended.
"""
