"""The evolution scrubber: masks and scores of one object over a life (Sec. 3.4, lesson 5)."""
