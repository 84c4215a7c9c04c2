"""The alignment explorer: pairs, prototypes and distances (Sec. 3.3, lesson 4)."""
