"""Loads parts and tasks from outside, and checks that they keep the contract."""
