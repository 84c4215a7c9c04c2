"""Evolving a model on the clicks of a user, and judging it before switching."""
