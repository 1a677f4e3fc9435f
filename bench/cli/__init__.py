"""Reads options, calls `bench.api`, and prints: one module per verb or group of verbs."""
