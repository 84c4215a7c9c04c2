"""The study as a graph of tasks, and where they run."""
