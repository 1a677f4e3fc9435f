"""Compares runs: variants, axes, stores, equal costs, claims. Prints nothing."""
