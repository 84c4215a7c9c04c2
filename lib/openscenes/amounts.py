"""How many of a thing, in words: "1 object has", "2 objects have"."""

_OF_ONE = {
    "have": "has", "are": "is", "were": "was", "lie": "lies", "carry": "carries",
    "stand": "stands",
}  # fmt: skip


def amount(n: int, thing: str, then: str = "") -> str:
    """A number with its thing, and what is said of them, which begins with its verb.

    Args:
        then: such as "have an empty mask"; its verb is that of several.
    """
    things = thing if n == 1 else f"{thing}{'es' if thing.endswith('s') else 's'}"
    verb, blank, rest = then.partition(" ")
    said = f"{_OF_ONE.get(verb, verb) if n == 1 else verb}{blank}{rest}"
    return f"{n} {things} {said}".rstrip()
