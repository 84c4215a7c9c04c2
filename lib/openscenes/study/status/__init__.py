"""The status page: what is verified, what was decided."""
