"""The panel *Evolve*: learn from the accepted objects, judge, then accept, refuse or roll back."""

from collections.abc import Callable

from ipywidgets import HTML, Checkbox, HBox, IntProgress, Layout, VBox

from openscenes.amounts import amount
from openscenes.annotator.evolve.evolving import FEWEST, version_in_use
from openscenes.annotator.evolve.judgement import (
    Candidate,
    apart,
    evolved,
    judged,
    prospect,
    waiting,
)
from openscenes.annotator.evolve.opening import still_to_train
from openscenes.annotator.screen.background import Background, Made, Progress
from openscenes.annotator.screen.judgement_page import page_of
from openscenes.annotator.screen.toolbar import WIDE, button
from openscenes.annotator.store.history import Decision, in_use
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.versions import NEWEST, Version, Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.errors import OpenScenesError
from openscenes.study.pages.foreign_text import NAME, in_html
from openscenes.study.runs.data import Study
from openscenes.widgets.callbacks import Callbacks


def version_table(versions: Versions) -> str:
    """One row per version, the newest first, as HTML."""
    history = versions.history()
    rows = [_row(versions, version, *_state(history, version.name))
            for version in reversed(versions.all())]  # fmt: skip
    head = "".join(f'<th scope="col" style="text-align:left;font-weight:normal">{name}</th>'
                   for name in ("version", "what", "state", "since"))  # fmt: skip
    return (
        '<table class="os-version-table" cellpadding="3" style="line-height:1.3">'
        '<caption style="text-align:left;white-space:nowrap">Versions; nothing is overwritten'
        "</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _state(history: list[Decision], name: str) -> tuple[str, str]:
    """What a version is now, and since when."""
    last = [one for one in history if one.version == name][-1]
    if in_use(history)[-1:] == [name]:
        return "in use", last.time
    return {"added": "waits", "accepted": "was in use"}.get(last.what, last.what), last.time


def _row(versions: Versions, version: Version, state: str, since: str) -> str:
    told = versions.title(version.name), version.label, state, since[:16].replace("T", " ")
    first, *cells = (f"<td>{in_html(cell, 200)}</td>" for cell in told)
    look = "background:rgba(0,114,178,0.12)" if state == "in use" else ""
    name = in_html(version.name, NAME)
    return f'<tr style="{look}" data-version="{name}" title="{name}">{first}{"".join(cells)}</tr>'


AT_ONCE = "Box and click answer already; Evolve has to wait."
MEANWHILE = (
    "You can go on annotating, though masks come slower; what you accept now counts for the "
    "next evolution."
)


class EvolvePanel:
    """Buttons, progress, judgement and versions; a version is read before it is taken up."""

    def __init__(
        self,
        workspace: Workspace,
        annotations: Annotations,
        callbacks: Callbacks,
        loaded: Callable[[Version], Callable[[], object]],
    ) -> None:
        """Show the versions as they are; nothing is learned before a press of the button.

        Args:
            loaded: reads a version, and returns what takes it up.
        """
        self.study: Study | None = None
        self.workspace, self.annotations = workspace, annotations
        self.versions, self.loaded = Versions(workspace.folder), loaded
        self.background = Background(callbacks, self._progressed)
        self._meanwhile = MEANWHILE
        self._refused = ""  # the version that was judged worse
        self.page = "", ""  # a version and its judgement as HTML
        guarded = callbacks.guarded
        self.evolve = button("Evolve", "evolve", guarded(self._evolve))
        self.clicks_only = Checkbox(
            value=False, indent=False, layout=Layout(width="auto"),
            description="the paper's rule: learn from images and clicks, not from accepted masks",
        ).add_class("os-clicks-only")  # fmt: skip
        self.judge = button("Judge", "judge", guarded(self._judge))
        self.accept = button("Accept the new model", "accept-version", guarded(self._accept))
        self.refuse = button("Refuse it", "refuse-version", guarded(self._refuse))
        self.rollback = button("Roll back", "rollback", guarded(self._rollback))
        self.status = HTML(layout=WIDE).add_class("os-evolve-status")
        self.bar = IntProgress(layout=Layout(width="auto", display="none"))
        self.judgement = HTML(layout=WIDE).add_class("os-judgement-page")
        self.table = HTML(layout=WIDE).add_class("os-versions")
        self.widget = self._assembled()
        self.show()

    def open(self, late: Callable[[], Study]) -> None:
        """Open the study in the background, train its first model where it is missing, take it up.

        Until then nothing can be learned, and box and click answer all the same.
        """

        def opened() -> tuple[Study, Callable[[], object]]:
            study = late()
            if (said := still_to_train(study)) and not self.versions.all():
                self.status.value = in_html(f"{said}. {AT_ONCE}")
            return study, self.loaded(version_in_use(self.workspace, study))

        def then(made: tuple[Study, Callable[[], object]] | None) -> None:
            if made is not None:
                self.study, take_up = made
                take_up()
            self.show()

        with self.background.callbacks.lock:  # what follows the thread's end comes after
            self._begin("Preparing what Evolve needs", opened, then)

    def show(self) -> None:
        """Follow the log and the versions, whichever window they come from."""
        busy = bool(self.background.doing)
        candidate, n_taken = waiting(self.workspace), len(in_use(self.versions.history()))
        words, table = "" if busy else self._idle_words(), version_table(self.versions)
        complaint = in_html(self.versions.complaint())
        self.evolve.disabled = busy or self.study is None
        self.judge.disabled = self.evolve.disabled or candidate is None
        for pressed in (self.accept, self.refuse):
            pressed.disabled = busy or candidate is None
        refused = candidate is not None and candidate.name == self._refused
        self.accept.description = "Accept it all the same" if refused else "Accept the new model"
        self.rollback.disabled = busy or n_taken < 2
        if not busy:
            self.status.value = in_html(words)
            self.bar.layout.display = "none"
        version, page = self.page
        self.judgement.value = page * (candidate is not None and candidate.name == version)
        self.table.value = table + (f"<p>{complaint}</p>" if complaint else "")

    def _assembled(self) -> VBox:
        wrapping = Layout(flex_flow="row wrap")
        first = HBox([self.evolve, self.judge, self.rollback], layout=wrapping)
        decide = HBox([self.accept, self.refuse], layout=wrapping)
        head = HTML("Evolve the model on what you accepted")
        parts = [
            head,
            first,
            self.clicks_only,
            self.status,
            self.bar,
            self.judgement,
            decide,
            self.table,
        ]
        return VBox(parts, layout=WIDE).add_class("os-evolve-panel")

    def _idle_words(self) -> str:
        if self.study is None:
            return "Nothing can be learned: mend what is said above, and run this cell again."
        candidate = waiting(self.workspace)
        if candidate is not None:
            title = self.versions.title(candidate.name)
            return f"{title} waits: judge it, then accept or refuse it."
        try:
            parts = prospect(self.workspace, self.study, self.annotations.accepted())
        except OpenScenesError as error:  # a damaged version keeps nobody from rolling back
            return str(error)
        said = (
            f"{amount(len(parts.learnable), 'object')} to learn, {len(parts.held_out)} on images "
            f"that are held out to judge with, {len(parts.learned)} learned already."
        )
        few = f" At least {FEWEST} to learn are wanted, better some twenty."
        return said + (few if len(parts.learnable) < FEWEST else "")

    def _evolve(self) -> None:
        self.annotations.refresh()
        given = self.workspace, self._opened(), self.annotations.accepted()
        rule = self.clicks_only.value
        work = lambda: self._page(evolved(*given, clicks_only=rule))  # noqa: E731
        self._begin("Evolving", work, self._finished)

    def _judge(self) -> None:
        given = self.workspace, self._opened(), self.annotations.accepted()
        new = self.versions.named(NEWEST)
        self._begin("Judging", lambda: self._page(judged(*given, new)), self._finished)

    def _opened(self) -> Study:
        assert self.study is not None, "the buttons are off before"
        return self.study

    def _page(self, candidate: Candidate) -> tuple[str, str]:
        """In the working thread: the judgement as a page, and whether the gate refuses."""
        self._refused = candidate.new.name * (candidate.judgement.verdict == "worse")
        return candidate.new.name, page_of(self.workspace, apart(self._opened()), candidate)

    def _begin(
        self, doing: str, work: Callable[[], Made], then: Callable[[Made | None], None]
    ) -> None:
        """Say what begins, then begin: from then on the words are the thread's."""
        self.background.require_idle()
        self._meanwhile = AT_ONCE if self.study is None else MEANWHILE
        self.status.value = in_html(f"{doing}. {self._meanwhile}")
        self.bar.value, self.bar.max, self.bar.layout.display = 0, 1, "flex"
        self.background.start(doing, work, then)
        self.show()

    def _progressed(self, said: Progress) -> None:
        """In the working thread: only the panel's own words and bar are touched."""
        if not said.total:
            self.status.value = in_html(f"{self.background.doing}: {said.label}. {self._meanwhile}")
            return
        self.bar.max, self.bar.value = max(said.total, 1), said.done
        left = f", {said.left} left of this part" if said.left else ""
        self.status.value = in_html(
            f"{self.background.doing}: {said.label}, {said.done} of {said.total}{left}. "
            f"{self._meanwhile}"
        )

    def _finished(self, page: tuple[str, str] | None) -> None:
        self.page = page or self.page
        self.show()

    def _accept(self) -> None:
        new = self.versions.named(NEWEST)
        take_up = self.loaded(new)
        self.versions.accept(new.name)
        take_up()
        self.show()

    def _refuse(self) -> None:
        self.versions.refuse(NEWEST)
        self.show()

    def _rollback(self) -> None:
        taken = in_use(self.versions.history())
        take_up = self.loaded(self.versions.read(taken[-2])) if len(taken) > 1 else self.show
        self.versions.rollback(leaving=taken[-1] if taken else None)
        take_up()
        self.show()
