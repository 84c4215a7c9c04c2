"""``python -m openscenes evolve``: evolve on a log's clicks, judge, then accept or refuse."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.paths import folder_of

if TYPE_CHECKING:
    from openscenes.annotator.store.snapshot import Snapshot
    from openscenes.annotator.store.versions import Version, Versions
    from openscenes.annotator.store.workspace import Workspace


NEWEST = "newest"  # as in versions, which takes seconds to import


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``evolve`` to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evolve",
        help="evolve the annotator's model on your clicks, and judge it before switching",
        description="Evolve the model in use on the accepted objects of a log, then show old and "
        "new side by side on images that were held out. A new model that is judged worse is "
        "refused; one is taken up only by --accept; nothing is ever overwritten.",
    )
    parser.add_argument("--log", type=Path, required=True, help="a workspace, or its log.jsonl")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", type=folder_of, default=None, help="folder of the four data sets")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--initial", default="", help="IOG's published weights to begin with")
    parser.add_argument(
        "--variant", default="evidence, source kept",
        help="ours by default; the paper's is st+ipt+fa",
    )  # fmt: skip
    parser.add_argument(
        "--clicks-only", action="store_true",
        help="the paper's rule: learn from images and clicks, not from the accepted masks",
    )  # fmt: skip
    instead = parser.add_mutually_exclusive_group()
    for name, what in (("accept", "take a version into use"), ("refuse", "do not take it")):
        instead.add_argument(
            f"--{name}", nargs="?", const=NEWEST, metavar="VERSION",
            help=f"{what}, the newest undecided one by default; evolves nothing",
        )  # fmt: skip
    instead.add_argument("--rollback", action="store_true", help="back to the version before")
    instead.add_argument("--status", action="store_true", help="list versions and decisions")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run one command line; what the user can mend raises in one sentence."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, as for tables
    from openscenes.annotator.store.versions import Versions
    from openscenes.annotator.store.workspace import workspace_of

    workspace = workspace_of(args.log)
    versions = Versions(workspace.folder)
    if args.accept is not None:
        _say(f"in use: {_named(versions.accept(args.accept))}")
    elif args.refuse is not None:
        _say(f"refused: {_named(versions.refuse(args.refuse))}")
    elif args.rollback:
        _say(f"in use again: {_named(versions.rollback())}")
    elif args.status:
        _say(status(versions))
    else:
        _evolve_and_judge(args, workspace)
    return 0


def status(versions: Versions) -> str:
    """All versions, the one in use marked, what was decided about them, and what is damaged."""
    current = versions.current()
    if current is None:
        none = "No version yet; the first evolution begins with the study's initial model."
        return "\n".join([none, versions.complaint()]).rstrip()
    waiting = {version.name for version in versions.undecided()}
    lines = []
    for version in versions.all():
        mark = "*" if version.name == current.name else " "
        note = "  (waits for a decision)" if version.name in waiting else ""
        lines.append(f"{mark} {_named(version)}{note}")
    lines += ["", *(f"{d.time}  {d.version}  {d.what} by {d.by}" for d in versions.history())]
    return "\n".join([*lines, versions.complaint()]).rstrip()


def _evolve_and_judge(args: argparse.Namespace, workspace: Workspace) -> None:
    from openscenes.annotator.evolve.judgement import evolved
    from openscenes.annotator.screen.judgement_page import judgement_figures
    from openscenes.annotator.store.versions import Versions
    from openscenes.study.figures.save import show_figure
    from openscenes.study.options import profile_named
    from openscenes.study.runs.data import open_study

    accepted = _accepted(workspace)
    study = open_study(profile_named(args.profile), args.data, args.device)
    how = {"variant": args.variant, "clicks_only": args.clicks_only}
    candidate = evolved(workspace, study, accepted, **how)
    new, old, judgement = candidate.new, candidate.old, candidate.judgement
    table = judgement.table().to_string(float_format="{:.1f}".format, na_rep="-")
    _say(f"candidate   {_named(new)}\n\n{table}\n\n{judgement.advice}\n{judgement.worth}\n")
    folder = workspace.folder / "judgements" / f"{old.name}-{new.name}"
    for name, (figure, words) in judgement_figures(workspace, study, candidate).items():
        show_figure(figure, words, folder / name)
        _say(f"figure      {folder / name}")
    versions = Versions(workspace.folder)
    if judgement.verdict == "worse" and new.name in {one.name for one in versions.undecided()}:
        versions.refuse(new.name, by="the judgement")
        _say("\nrefused     by the judgement; it is kept, and --accept takes it by its name")
    _say(
        f"\naccept      --accept {new.name}\nrefuse      --refuse {new.name}\n"
        f"in use      {old.name} until the new one is accepted"
    )


def _accepted(workspace: Workspace) -> tuple[Snapshot, ...]:
    """The log's accepted objects; lines that cannot be used are reported."""
    from openscenes.annotator.store.log import Log
    from openscenes.annotator.store.objects import Annotations

    if not os.path.lexists(workspace.log_path):
        raise InputError(
            f"There is no log {one_line(str(workspace.log_path))}; accept some objects "
            "in the annotator first."
        )
    log = Log(workspace.log_path)
    accepted = Annotations(log).accepted()
    if complaint := log.complaint():
        print(complaint, file=sys.stderr)
    return accepted


def _named(version: Version) -> str:
    return f"{version.name}  {version.label}"


def _say(text: str) -> None:
    print(text, flush=True)
