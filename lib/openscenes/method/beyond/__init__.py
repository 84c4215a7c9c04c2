"""Ours, beyond the paper."""
