"""The method's own lines on a page: the code that runs, without what it says of itself."""

import ast
from importlib import import_module
from inspect import getsource
from types import FunctionType

from IPython.display import Markdown

from openscenes.errors import InputError


def own_lines(module: str, *names: str) -> Markdown:
    """Functions of the package as they stand there, for a page beside their equation.

    Args:
        module: within the package, such as "method.voting".
        names: of its functions.
    """
    found = import_module(f"openscenes.{module}")
    parts = []
    for name in names:
        function = getattr(found, name, None)
        if not isinstance(function, FunctionType):
            raise InputError(f"{module} has no function {name}; correct the name in the notebook")
        parts.append(without_words(getsource(function)))
    path = f"`lib/openscenes/{module.replace('.', '/')}.py`, as it runs:"
    code = "\n\n\n".join(parts)
    return Markdown(f"{path}\n\n```python\n{code}\n```")


def without_words(source: str) -> str:
    """A function's source without its docstring."""
    function, lines = ast.parse(source).body[0], source.rstrip().splitlines()
    assert isinstance(function, ast.FunctionDef)
    if ast.get_docstring(function) is not None:
        del lines[function.body[0].lineno - 1 : function.body[0].end_lineno]
    return "\n".join(lines)
