"""Decides what is to be run: matrices, claims, estimates, groups of runs."""
