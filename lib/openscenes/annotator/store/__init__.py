"""What the annotator keeps: the log, the objects it tells of, model versions."""
