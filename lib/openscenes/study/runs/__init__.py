"""What is trained: recipes, models on disk, the data they learn from."""
