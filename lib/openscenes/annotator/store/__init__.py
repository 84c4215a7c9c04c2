"""What the annotator keeps: the log, its objects, model versions."""
