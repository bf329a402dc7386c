"""The verbs: each composes calculation and boundaries inside one recorded activity.

What lives here: opening a project (`context`), recording an activity in the one
crash-safe order (`record`), bringing the store in step with the ledger
(`restore`), and the verbs themselves: `project`, `schemas`, `batches`,
`ingest`, `assets`, `migrate`, `select`, `trace`, `version`. A verb takes a
`context.Project` and returns a frozen value. What may not: printing, exiting,
the environment, the clock (it is the project's), SQL, Parquet. Start reading at
`context.Project`, then `record.recording`.
"""
