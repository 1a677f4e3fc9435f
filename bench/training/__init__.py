"""Trains, evaluates and decodes one model, or a stack of replicas."""
