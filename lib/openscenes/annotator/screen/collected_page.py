"""What a workspace holds, as tables on a page: the log's objects, the exports, the judgement."""

from pathlib import Path

import pandas as pd
from IPython.display import HTML, Markdown

from openscenes import masks
from openscenes.annotator.evolve.judgement import apart, judged
from openscenes.annotator.exchange.export import Kind, export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.screen.judgement_page import page_of
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.settings import text_parameter
from openscenes.study.pages.foreign_text import in_markdown
from openscenes.study.runs.data import Study

COLUMNS = ("image", "object", "class", "clicks", "seconds", "mask px", "state", "predicted by")


def objects_table(workspace: Workspace) -> pd.DataFrame:
    """One row per object that is not deleted, as the log has it now.

    Returns:
        Columns ``COLUMNS``; "object" numbers the objects of an image, as the annotator does,
        "seconds" is the time from the first click to the last.
    """
    rows, counts, versions = [], dict[str, int](), Versions(workspace.folder)
    for one in Annotations(Log(workspace.log_path)).objects():
        counts[one.image_digest] = counts.get(one.image_digest, 0) + 1
        state = "accepted" if one.accepted else "not accepted"
        rows.append((
            one.image, counts[one.image_digest], one.class_name or "", one.n_clicks,
            one.clicks[-1].seconds, int(masks.decode(one.mask).sum()), state,
            versions.title(one.model),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def log_tail(workspace: Workspace, n: int = 5) -> pd.DataFrame:
    """The newest lines of the log, the last one last, without their masks."""
    lines = Log(workspace.log_path).read_new()[-n:]
    return pd.DataFrame(
        [(one.action, one.image, one.n_clicks, one.accepted, one.model) for one in lines],
        columns=["action", "image", "clicks", "accepted", "predicted by"],
    )


def exported(workspace: Workspace, kind: Kind = "coco") -> pd.DataFrame | Markdown:
    """Write an export, and tell how many files of which kind it has in each of its folders."""
    annotations = Annotations(Log(workspace.log_path))
    if not annotations.accepted():
        return Markdown("*Nothing is accepted yet, so there is nothing to export.*")
    return files_table(export(annotations, workspace, kind).folder)


def imported(workspace: Workspace, source: str = "") -> Markdown:
    """Add the objects of an export's folder or of a COCO annotation file, and tell what was added.

    Args:
        source: its path; empty adds nothing.
    """
    if not source:
        return Markdown("*Nothing is imported: no path was given.*")
    given = text_parameter("source", source)
    report = import_objects(Annotations(Log(workspace.log_path)), workspace, given)
    return Markdown(in_markdown(str(report)))


def files_table(folder: Path) -> pd.DataFrame:
    """Files below a folder, counted by place and kind."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    places = [(path.parent.relative_to(folder).as_posix(), path.suffix) for path in files]
    counted = pd.DataFrame(places, columns=["folder", "kind"]).value_counts(sort=False)
    return counted.rename("files").reset_index()


def last_judgement(workspace: Workspace, study: Study) -> HTML | Markdown:
    """The newest evolved version beside the one that it came from or that is in use, as a page."""
    evolved = [version for version in Versions(workspace.folder).all() if version.parent]
    if not evolved:
        return Markdown("*Nothing has evolved here yet: press* Evolve *above, then run this cell.*")
    accepted = Annotations(Log(workspace.log_path)).accepted()
    candidate = judged(workspace, study, accepted, evolved[-1])
    return HTML(page_of(workspace, apart(study), candidate))
