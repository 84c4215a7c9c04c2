"""Seeded malformed inputs for every door of the package, each with what a right answer is.

A door is a function that reads what others wrote. A case is named ``door/mutation/seed``:

    python -m tests.fuzz                      every case, as ``make fuzz``
    python -m tests.fuzz log/tree/17          one case; a prefix such as log/tree takes several
    python -m tests.fuzz --keep F log/tree/17 keep its input in the folder F

Right is an answer that a small check of its own confirms, or a refusal in one sentence.
"""
