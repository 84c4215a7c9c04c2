"""The interval explorer: what objects and seeds can tell (lesson 6)."""
