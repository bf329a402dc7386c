"""Training code beside the record: the loader, and MLflow."""
