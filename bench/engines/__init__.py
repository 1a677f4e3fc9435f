"""Engines carry out runs: worker processes, a Ray cluster, or torchrun."""
