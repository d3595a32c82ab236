"""Which of all known trails a new run belongs to, if any.

Its looks are sought among those of all trails (`looks`, `gallery`), its cells among theirs (`grid`,
`where`); the few trails that either suggests (`shortlist`) are really aligned by the caller, and what came
of that decides (`decide`).
"""
