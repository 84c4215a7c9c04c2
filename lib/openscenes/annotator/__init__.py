"""The annotator: click on your own images, keep every interaction, evolve the model on it."""
