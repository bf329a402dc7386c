"""Where other people's training code meets the record: a loader over a version (`loader`), and MLflow (`mlflow`).

What lives here: forms that trainers and trackers expect. What may not: a decision about labels. Neither torch
nor mlflow is imported before somebody asks for what needs it, and the loader needs neither.
"""
