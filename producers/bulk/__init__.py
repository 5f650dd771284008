"""Bulk files: from the bytes that were uploaded to a result for every line.

``unpacking`` (bytes to lines of text), ``reading`` (lines to commands), ``preparing`` (the whole
file into lots, or refused before anything moves), ``lanes`` (messages to the partitions, two at a
time), ``running`` (lots to outcomes to results), ``runner`` (whose turn it is).

What makes it exactly once is that a line's command id is derived from its file and its place in it
(``ids``): whatever was killed, repeating is harmless, and what was decided is found in the books.
"""
