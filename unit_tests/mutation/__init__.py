"""`make mutants`: the pure modules are broken one node at a time, to see that a unit test notices.

A tool of our own: every mutant is a fork of one warm process, so that it costs some tenths of a second and not the
start of pytest; and each has a deadline and a limit of memory, since a broken failover may dial for ever.
"""
