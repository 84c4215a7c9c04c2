"""The systems of Table 1 beside ours: networks, click sampling, losses, training."""
