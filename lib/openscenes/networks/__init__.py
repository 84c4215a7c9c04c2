"""IOG with the paper's additions (Sec. 3.1, 3.3): backbone, heads, weights."""
