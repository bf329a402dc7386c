"""The label ledger of a computer-vision team."""

__version__ = "0.1.0"
