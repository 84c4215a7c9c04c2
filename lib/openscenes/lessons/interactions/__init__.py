"""The interaction explorer: what box and click make of a mask (Sec. 3.1, lesson 1)."""
