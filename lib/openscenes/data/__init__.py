"""What the method sees: interactions, records of objects, samples, and the synthetic scenes."""
