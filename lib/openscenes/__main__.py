"""Interactive segmentation that evolves on clicks: predict, evolve, reproduce the study.

The command ``openscenes`` and ``python -m openscenes`` are the same.
"""

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes.errors import InputError, OpenScenesError
from openscenes.files import one_line, reason
from openscenes.paths import (
    PROJECT,
    SHOWN,
    check_checkout,
    folder_of,
    require_home,
    require_writable,
)
from openscenes.study.asked import (
    add_place,
    add_study,
    check,
    spelled_profile,
    table_key,
    without_ablations,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake that the user can mend ends in one sentence and code 2.

    So does what the system refuses; everything else is a fault of ours and shows its traceback.
    """
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with suppress(ValueError):  # not in the main thread
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)  # as Ctrl-C: all is tidied up
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # a name of bytes must not stop a line
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # such as `openscenes plan | head -1`
        _drop_output()
        return 141
    except OSError as error:
        if error.errno not in _MENDS:
            raise
        place = "" if error.filename is None else f"{one_line(os.fsdecode(error.filename))}: "
        print(f"openscenes: {place}{reason(error)}; {_MENDS[error.errno]}", file=sys.stderr)
        _drop_output()
    except MemoryError:
        print("openscenes: the memory does not suffice; end other programs", file=sys.stderr)
    return 2


_MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
                    "make room, or move the cache with OPENSCENES_CACHE=path/to/folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS),
                    "mend the permissions there, or name another place"),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP,
                     errno.ENAMETOOLONG), "move away what is there, or name another place"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: ulimit -n 4096"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look after the disk, and try again"),
    errno.ENOMEM: "end other programs",
}  # fmt: skip


def _drop_output() -> None:
    """What could not be written must not be tried again when Python ends."""
    with suppress(OSError, ValueError):  # ValueError: a stream of a test has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str] | None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        require_home()
        check(parsed)
        if "initial" in parsed:
            parsed.profile = spelled_profile(parsed)
        if parsed.in_checkout:
            check_checkout()
        return int(parsed.run(parsed) or 0)
    except OpenScenesError as error:
        print(f"openscenes: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if parsed.extra is None or str(error.name).startswith("openscenes"):
            raise
        print(
            f"openscenes: `{parsed.command}` needs {error.name}, which a plain install leaves out:"
            f' install the package with its extra, pip install "./lib[{parsed.extra}]"',
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("openscenes: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 2


def _parser() -> argparse.ArgumentParser:
    from openscenes.annotator import command as evolve_command
    from openscenes.annotator import launch
    from openscenes.annotator.exchange import command as exchange_command
    from openscenes.prediction import command as predict_command
    from openscenes.study.fetch import command as data_command

    parser = argparse.ArgumentParser(prog="openscenes", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    # What a command needs beyond the plain install: an extra, and the checkout's notebooks.
    parser.set_defaults(extra=None, in_checkout=False)
    predict_command.add_parser(commands)
    for exchange in (evolve_command.add_parser(commands), *exchange_command.add_parsers(commands)):
        exchange.set_defaults(extra="study")
    launch.add_parser(commands).set_defaults(extra="interactive", in_checkout=True)
    table = commands.add_parser("table", help="train what tables need, then make the tables")
    table.add_argument(
        "keys", nargs="*", type=table_key, help="1 to 7, 4+ (or 4-plus), figures; all by default"
    )
    add_study(table)
    add_place(table)
    table.add_argument("--reports", type=folder_of, default=None, help="default: reports/own")
    table.set_defaults(run=_table, extra="study", in_checkout=True)
    reports = commands.add_parser("reports", help="renew the reports that the repository shows")
    add_study(reports)
    add_place(reports)
    reports.set_defaults(run=_reports, extra="interactive", in_checkout=True)
    models = commands.add_parser("models", help="train and score all that the tables need")
    add_study(models)
    add_place(models)
    models.set_defaults(run=_models, extra="study")
    lessons = commands.add_parser("lessons", help="run the lessons and keep their pages")
    add_study(lessons, seeds=False)
    lessons.add_argument("--reports", type=folder_of, default=None, help="default: reports/own")
    lessons.set_defaults(run=_lessons, extra="interactive", in_checkout=True)
    plan = commands.add_parser("plan", help="print what would be done, and what it takes")
    plan.add_argument("keys", nargs="*", type=table_key, help="tables; those of `table` by default")
    plan.add_argument("--assume", type=folder_of, default=None, help="file of another machine")
    add_study(plan)
    plan.set_defaults(run=_plan, extra="study")
    release = commands.add_parser("release", help="renew the models that the repository holds")
    release.add_argument("--device", default="auto", help="auto, cpu or cuda")
    release.set_defaults(run=_release, extra="study", in_checkout=True)
    dry_run = commands.add_parser("dry-run", help="run every table at the paper's size, briefly")
    dry_run.add_argument("--device", default="auto", help="auto, cpu or cuda")
    dry_run.add_argument("keys", nargs="*", type=table_key, help="tables; all by default")
    dry_run.set_defaults(run=_dry_run, extra="study")
    data_command.add_parser(commands).set_defaults(extra="study")
    site = commands.add_parser("site", help="write the reports as web pages")
    site.set_defaults(run=_site, extra="study", in_checkout=True)
    status = commands.add_parser("status", help="rewrite reports/README.md")
    status.set_defaults(run=_status, extra="study", in_checkout=True)
    scenes = commands.add_parser("scenes", help="write the synthetic scenes into a folder")
    scenes.add_argument("folder", type=folder_of)
    scenes.add_argument("--seed", type=int, default=0)
    scenes.set_defaults(run=_scenes)
    return parser


def _table(parsed: argparse.Namespace) -> int:
    from openscenes.study.runs import finished

    left = []
    for key in dict.fromkeys(parsed.keys or finished.keys_of(parsed.profile)):
        name = finished.request_name(
            key, parsed.profile, parsed.data, parsed.seeds, parsed.device, parsed.reports
        )
        if (pages := finished.pages(name)) is None:
            left.append(key)
            continue
        print(f"table {key}: code, data and settings are those that made it; it stands in")
        print("\n".join(str(path) for path in pages if path.suffix in (".md", ".ipynb")))
    return _make_tables(left, parsed) if left else 0


def _make_tables(keys: Sequence[str], parsed: argparse.Namespace) -> int:
    # Before torch is imported: later it does not reach every pool of threads (see cpu_threads).
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from openscenes.study import command
    from openscenes.study.graph.wanted import Place

    return command.make_tables(
        keys, profile=parsed.profile, seeds=parsed.seeds, place=Place.of(parsed),
        reports=parsed.reports,
    )  # fmt: skip


def _reports(parsed: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, as for tables
    from openscenes.study.options import profile_named
    from openscenes.study.pages.tables import shown_folder

    chosen = profile_named(parsed.profile)
    parsed.keys, parsed.reports = [], shown_folder(chosen)
    if parsed.reports == SHOWN and (parsed.seeds < 3 or not chosen.ablations):
        raise InputError(
            "the repository shows three trainings, which Lesson 6 compares, and ablations; give "
            "--seeds 3 --ablations 1 (make reports SEEDS=3 ABLATIONS=1)"
        )
    try:
        code = _table(parsed)
        if chosen.synthetic is not None:  # other people's images stay out of the repository
            _lessons(parsed)
    finally:
        _status(parsed)
    return code


def _models(parsed: argparse.Namespace) -> None:
    from openscenes.study.runs import finished

    name = finished.request_name(
        finished.MODELS, parsed.profile, parsed.data, parsed.seeds, parsed.device, None
    )
    if finished.pages(name) is not None:
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as for tables
    from openscenes.study import command
    from openscenes.study.graph.wanted import Place

    command.make_models(profile=parsed.profile, seeds=parsed.seeds, place=Place.of(parsed))


def _lessons(parsed: argparse.Namespace) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as for tables, whose models they share
    from openscenes.study.command import make_lessons

    profile = without_ablations(parsed.profile)
    for line in make_lessons(profile, parsed.data, parsed.device, parsed.reports):
        print(line, flush=True)


def _plan(parsed: argparse.Namespace) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as for tables, whose time it tells
    from openscenes.study.options import profile_named
    from openscenes.study.plan.plan import plan_text

    given = profile_named(parsed.profile, parsed.seeds), parsed.seeds, parsed.data, parsed.device
    print(plan_text(*given, keys=parsed.keys, assume=parsed.assume))


def _release(parsed: argparse.Namespace) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as for tables
    from openscenes.study.plan.release import make_release

    print("\n".join(make_release(parsed.device)))


def _dry_run(parsed: argparse.Namespace) -> None:
    from openscenes.study.experiments.registry import EXPERIMENTS
    from openscenes.study.plan.dry_run import print_dry_run

    print_dry_run(parsed.keys or tuple(EXPERIMENTS), parsed.device)


def _site(_parsed: argparse.Namespace) -> None:
    from openscenes.study.pages.site import write_site

    print(write_site(SHOWN, PROJECT / ".cache" / "site"))


def _scenes(parsed: argparse.Namespace) -> None:
    from openscenes.synthetic import write_scenes

    if parsed.folder is None:
        raise InputError("the folder of the scenes has no name; give one")
    require_writable(parsed.folder.absolute().parent, "name another place")
    write_scenes(parsed.folder, seed=parsed.seed)
    print(f"synthetic scenes (generated, not real images) written to {parsed.folder}")


def _status(parsed: argparse.Namespace) -> None:
    from openscenes.study.status.page import write_status

    print(write_status(SHOWN))


if __name__ == "__main__":
    sys.exit(main())
