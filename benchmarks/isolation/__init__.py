"""Planted label faults, and who finds them."""
