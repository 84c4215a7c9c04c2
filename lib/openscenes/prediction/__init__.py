"""One object from Python or a shell, with any trained model."""
