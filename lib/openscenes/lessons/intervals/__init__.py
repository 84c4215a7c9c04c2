"""The interval explorer: how certain a difference is, by objects and seeds (lesson 6)."""
