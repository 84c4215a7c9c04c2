"""The annotator: click on one's own photographs, keep every interaction, evolve the model on it."""
