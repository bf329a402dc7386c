"""The calculations: arrays in, arrays out.

What lives here: everything that can be stated without knowing where the numbers
come from: liveness of revisions (`state`), the vectorised rules of geometry
(`rules`), overlap (`geometry`, `overlaps`), lasting identity (`matching`, ids as
`evidence`, one to one by `assignment`), equality within rounding (`shapes`), what
changed between two versions (`changes`), and splits (`splits`). What may not:
files, SQL, the clock, random state that is not passed in, and any name of ours
but the vocabulary. Start reading at `state`.
"""
