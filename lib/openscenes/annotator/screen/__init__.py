"""What an annotator sees and presses."""
