"""The canvas and what every explorer shares."""
