"""The calculations: arrays in, arrays out.

What lives here: everything that can be stated without knowing where the numbers
come from: liveness of revisions (`state`), the vectorised rules of geometry
(`rules`), overlap (`geometry`, `overlaps`), lasting identity (`matching`, ids as
`evidence`, one to one by `assignment`), equality within rounding (`shapes`), what
changed between two versions (`changes`), and splits (`splits`).

Quality: whose labels are of one object (`units`, `likeness` for shapes), opinions
side by side (`comparisons`, `agreement`, `outcomes`), coefficients and intervals
(`coefficients`, `intervals`), the disagreements (`disputes`, `conventions`), drift
(`drift`, `charts`), `gold`, `consensus`. All are sums that add up over parts.

Review: which part of each stratum is checked (`plans`) and who is drawn (`sampling`),
what a dispute needs next (`adjudication`), how many labels are wrong (`estimates`),
whether a lot is accepted (`lots`). What may not:
files, SQL, the clock, random state that is not passed in, and any name of ours
but the vocabulary. Start reading at `state`.
"""
