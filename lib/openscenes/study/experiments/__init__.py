"""The tables of the paper, and what stands beside them: one module each."""
