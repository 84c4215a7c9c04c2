"""What a reader moves with the mouse: explorers for the lessons and the annotator."""
