"""The versions of a workspace as a table: which is in use, which was refused, which waits."""

from __future__ import annotations

import html

from openscenes.interactive.annotator.history import Decision, in_use
from openscenes.interactive.annotator.versions import Versions


def version_table(versions: Versions) -> str:
    """One row per version, the newest first, as HTML."""
    history = versions.history()
    rows = [
        _row(version.name, version.label, *_state(history, version.name))
        for version in reversed(versions.all())
    ]
    head = "".join(
        f'<th scope="col" style="text-align:left">{name}</th>'
        for name in ("version", "what", "state", "since")
    )
    return (
        '<table class="os-version-table" cellpadding="3" style="line-height:1.3">'
        '<caption style="text-align:left">Versions; nothing is overwritten</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _state(history: list[Decision], name: str) -> tuple[str, str]:
    """What a version is now, and since when."""
    mine = [one for one in history if one.version == name]
    taken, last = in_use(history), mine[-1]
    if taken[-1:] == [name]:
        return "in use", last.time
    words = {"added": "waits", "accepted": "was in use", "refused": "refused",
             "rolled back": "rolled back"}  # fmt: skip
    return words[last.what], last.time


def _row(name: str, label: str, state: str, since: str) -> str:
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in (label, state, since))
    bold = ' style="font-weight:bold"' if state == "in use" else ""
    return f'<tr{bold} data-version="{name}"><td><code>{name}</code></td>{cells}</tr>'
