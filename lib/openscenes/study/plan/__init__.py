"""What a study costs, and the order in which it is trained."""
