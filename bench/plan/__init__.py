"""Decides what is to be run: reads matrices and claims, estimates cost, groups runs."""
