"""The evolution explorer: masks and scores of one object over a task sequence (Sec. 3.4)."""
