"""Judges what a guard measured of two versions of the code, and prints the verdicts."""
