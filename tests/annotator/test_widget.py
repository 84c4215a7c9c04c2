"""The whole annotator without a browser: gestures in, images, lists and files out."""

import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
from safetensors.numpy import save

from openscenes.annotator.evolve import judgement
from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.evolve.scene import Split
from openscenes.annotator.evolve.session import session_at_once
from openscenes.annotator.screen import evolve_panel, panels, widget
from openscenes.annotator.screen.background import ProgressStream, reported
from openscenes.annotator.screen.collected_page import (
    COLUMNS,
    exported,
    imported,
    last_judgement,
    log_tail,
    objects_table,
)
from openscenes.annotator.screen.example import begun, example_folder, place_of
from openscenes.annotator.screen.loop_figure import (
    ARROWS,
    PLACES,
    TEXT,
    first_image,
    loop_figure,
)
from openscenes.annotator.screen.widget import Annotator, annotator
from openscenes.annotator.store.history import Decision, decide
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import open_workspace
from openscenes.errors import InputError, WeightsError
from openscenes.progress import progress
from openscenes.study.runs.released import released_initial
from openscenes.study.runs.store import put_json
from openscenes.widgets.readout import caption, readout

desks = SimpleNamespace(**run_path(str(Path(__file__).parent / "desks.py")))
BOX, POINT = [5, 10, 25, 40], {"row": 12, "col": 20, "sign": 1}


@pytest.fixture
def place(tmp_path):
    return open_workspace(desks.write_images(tmp_path))


def add_version(place, name, parent=None, label=""):
    """A version whose weights nobody reads."""
    versions = Versions(place.folder)
    about = {
        "label": label or f"model {name}",
        "parent": parent,
        "profile": "smoke",
        "initial_set": "voc",
    }
    put_json(versions.folder / name / "about.json", about)
    (versions.folder / name / "model.safetensors").write_bytes(save({"layer": np.zeros(1)}))
    return versions.add(name)


@pytest.fixture
def window(place, monkeypatch):
    """An annotator whose versions answer with the box; version "first" is in use."""
    Versions(place.folder).accept(add_version(place, "first").name)

    def at_once(where, *_):
        return of(Versions(where.folder).current())

    def of(version, *_):
        if version.about["label"] == "damaged":
            raise WeightsError("The weights are damaged; choose another version.")
        return desks.BoxModel(version.name)

    monkeypatch.setattr(widget, "session_at_once", at_once)
    monkeypatch.setattr(widget, "session_of", of)
    nothing = Split((), (), (), ())
    monkeypatch.setattr(evolve_panel, "prospect", lambda *_: nothing)
    return opened(place, monkeypatch)


class NoStudy:
    """Stands in for a study that is open."""

    device = "cpu"

    def __call__(self):
        return self


def opened(place, monkeypatch=None, study=None):
    """An annotator whose study is there."""
    if monkeypatch is not None:
        monkeypatch.setattr(evolve_panel, "still_to_train", lambda _: "")
        current = lambda where, _: Versions(where.folder).current()  # noqa: E731
        monkeypatch.setattr(evolve_panel, "version_in_use", current)
    made = Annotator(study or NoStudy(), place)
    made.evolving.background.wait(20)
    assert made.callbacks.failures.outputs == ()
    assert made.callbacks.message.value == ""
    return made


def gesture(window, kind, **facts):
    """What the browser sends, with the next number."""
    canvas = window.canvas
    canvas.gestures = [{"n": canvas.answered + 1, "kind": kind, **facts}]
    assert window.callbacks.failures.outputs == ()


def click_object(window):
    gesture(window, "box", box=BOX)
    gesture(window, "point", **POINT)


def test_box_and_click_answer_while_the_study_opens_and_a_failure_is_said(window, place):
    go_on = threading.Event()

    class Slow(NoStudy):
        def __call__(self):
            assert go_on.wait(20)
            raise InputError("There is no such data.")

    slow = Annotator(Slow(), place)
    assert "Preparing what Evolve needs" in slow.evolving.status.value
    assert "answer already" in slow.evolving.status.value
    assert slow.evolving.evolve.disabled
    click_object(slow)
    assert slow.desk.object is not None
    go_on.set()
    slow.evolving.background.wait(20)
    assert "There is no such data" in slow.callbacks.message.value
    assert "Nothing can be learned" in slow.evolving.status.value
    assert slow.evolving.evolve.disabled
    assert not window.evolving.evolve.disabled


def test_a_new_workspace_begins_with_the_model_of_the_repository(place):
    session = session_at_once(place, "cpu")
    assert session.label == released_initial().name
    assert Versions(place.folder).current() is None  # nothing is decided yet
    answer = session.predict(place.list_images()[0], (5.0, 5.0, 30.0, 40.0), (15.0, 20.0))
    assert answer.mask.shape == (desks.HEIGHT, desks.WIDTH)


def test_from_box_to_accepted_in_the_widget(window):
    assert "Drag a box" in window.hint.value
    gesture(window, "box", box=BOX)
    assert (window.canvas.box, window.canvas.clicks) == (BOX, [])
    seq = window.canvas.seq
    gesture(window, "point", **POINT)
    assert window.canvas.clicks == [[12, 20, 1]]
    assert window.canvas.overlay.startswith(b"\x89PNG")
    assert window.canvas.seq == seq + 1
    assert "mask of 25.0 % of the image" in window.canvas.label
    assert f'data-seq="{window.canvas.seq}"' in window.readout.value
    gesture(window, "accept")
    assert "0 objects" not in window.toolbar.progress.value
    assert "image 1 of 3, 1 object accepted" in window.toolbar.progress.value
    assert window.objects.list.options[1][0] == "1. object, 1 click, accepted"


def test_buttons_do_what_keys_do_and_know_when_they_cannot(window):
    buttons = window.toolbar.buttons
    assert all(buttons[n].disabled for n in ("Accept", "Undo", "Redo", "Delete", "Previous"))
    click_object(window)
    buttons["Accept"].click()
    assert buttons["Accept"].disabled
    buttons["Undo"].click()
    assert not window.desk.object.accepted
    buttons["Redo"].click()
    assert window.desk.object.accepted
    buttons["Delete"].click()
    assert window.desk.objects == ()
    for _ in range(2):
        buttons["Next"].click()
    assert (buttons["Next"].disabled, buttons["Previous"].disabled) == (True, False)


def test_a_cell_that_is_run_again_goes_on_and_takes_back_what_was_done_before(window, place):
    gesture(window, "next")
    click_object(window)
    gesture(window, "click", row=6, col=12, sign=-1)
    again = opened(place)
    assert (again.desk.place, again.desk.object) == (1, window.desk.object)
    assert again.canvas.clicks == [[12, 20, 1], [6, 12, -1]]
    gesture(again, "undo")
    assert again.canvas.clicks == [[12, 20, 1]]
    gesture(again, "click", row=7, col=12, sign=-1)
    assert len(again.desk.object.clicks) == 2


def test_the_list_leads_back_to_an_object_and_the_name_field_names_it(window):
    click_object(window)
    made = window.desk.chosen
    window.classes.field.value = "cat"
    gesture(window, "accept")
    assert (window.objects.list.value, window.classes.field.value) == ("", "")
    window.objects.list.value = made
    assert (window.desk.chosen, window.classes.current) == (made, "cat")
    assert window.desk.object.accepted  # looking at an object changes nothing
    window.objects.list.value = ""
    assert window.desk.chosen is None


def test_a_slip_is_one_sentence_and_the_browsers_guess_is_corrected(window):
    gesture(window, "box", box=BOX)
    seq = window.canvas.seq
    gesture(window, "point", row=30, col=30, sign=1)
    assert "lies outside the box" in window.callbacks.message.value
    assert (window.canvas.clicks, window.canvas.seq) == ([], seq + 1)
    gesture(window, "point", **POINT)
    assert window.callbacks.message.value == ""


def test_a_failure_of_ours_is_shown_in_the_widget(window, monkeypatch):
    monkeypatch.setattr(window.desk.session, "predict", lambda *_: 1 / 0)
    gesture(window, "box", box=BOX)
    window.canvas.gestures = [{"n": window.canvas.answered + 1, "kind": "point", **POINT}]
    assert window.callbacks.failures.outputs[0]["ename"] == "ZeroDivisionError"


def test_a_restarted_kernel_shows_everything_again(window, place):
    click_object(window)
    gesture(window, "accept")
    again = opened(place)
    assert "image 2 of 3, 1 object accepted" in again.toolbar.progress.value
    again.toolbar.buttons["Previous"].click()
    assert len(again.objects.list.options) == 2
    assert again.canvas.overlay != b""


def test_another_window_is_seen_at_the_next_action(window, place):
    other = opened(place)
    click_object(window)
    gesture(window, "accept")
    gesture(other, "clear")
    assert "1 object accepted" in other.toolbar.progress.value
    assert other.canvas.overlay != b""


def test_exports_are_written_and_told(window, place):
    window.exports.buttons["coco"].click()
    assert "no accepted object to export" in window.callbacks.message.value
    click_object(window)
    gesture(window, "accept")
    for kind, button in window.exports.buttons.items():
        button.click()
        assert "1 object on 1 image" in window.exports.report.value
        assert (place.folder / "exports" / kind).is_dir()


def test_an_export_is_imported_into_another_workspace_by_its_button(window, place, tmp_path):
    click_object(window)
    gesture(window, "accept")
    window.exports.buttons["png"].click()
    elsewhere = open_workspace(place.images, tmp_path / "elsewhere")
    Versions(elsewhere.folder).accept(add_version(elsewhere, "first").name)
    other = opened(elsewhere)
    other.exports.source.value = str(place.folder / "exports/png")
    other.exports.importing.click()
    assert "1 object" in other.exports.report.value
    assert "Undo takes no import back" in other.exports.report.value
    assert other.desk.n_accepted() == 1
    report = other.exports.report.value
    other.exports.source.value = str(tmp_path / "nowhere")
    other.exports.importing.click()
    assert "There is no" in other.callbacks.message.value
    assert other.exports.report.value == report


def test_a_long_import_shows_its_progress_and_takes_no_bar_of_others(window, monkeypatch):
    said, report = [], window.exports.report
    report.observe(lambda change: said.append(change["new"]), "value")

    def slow(*_):
        bar = progress("objects", 3)
        bar.update()
        bar.refresh()
        bar.close()
        return "3 objects were added."

    monkeypatch.setattr(panels, "import_objects", slow)
    window.exports.importing.click()
    assert said[:2] == ["Import ...", "Import: objects, 0 of 3"]
    assert "Import: objects, 1 of 3" in said
    assert said[-1].startswith("3 objects were added. Undo")
    del said[:]
    beside, go_on = [], threading.Event()

    def evolve():
        with reported(beside.append):
            slow()
            started.set()
            go_on.wait(10)
            slow()

    started, thread = threading.Event(), threading.Thread(target=evolve)
    thread.start()
    started.wait(10)
    seen = len(beside)
    window.exports.importing.click()
    assert "Import: objects, 1 of 3" in said
    assert len(beside) == seen > 0  # that bar was the import's
    go_on.set()
    thread.join(10)
    assert len(beside) == 2 * seen
    assert not isinstance(sys.stderr, ProgressStream)


def finished(panel):
    panel.background.wait(20)
    assert not panel.background.doing


def fake_page(name):
    """What the thread makes: a version and its page."""
    return name, f"<p>page of {name}</p>"


def test_evolve_judge_accept_and_roll_back(window, place, monkeypatch):
    panel = window.evolving
    monkeypatch.setattr(
        evolve_panel, "evolved", lambda *_, **__: add_version(place, "second", "first")
    )
    monkeypatch.setattr(panel, "_page", lambda version: fake_page(version.name))
    assert (panel.accept.disabled, panel.rollback.disabled) == (True, True)
    panel.evolve.click()
    finished(panel)
    assert panel.judgement.value == "<p>page of second</p>"
    assert "version 1 of" in panel.status.value
    assert window.desk.session.label == "first"  # not before accept
    panel.accept.click()
    assert window.desk.session.label == "second"
    assert "version 1 of" in window.notice.value
    assert '0.12)" data-version="second"' in panel.table.value
    panel.rollback.click()
    assert window.desk.session.label == "first"
    assert panel.rollback.disabled
    assert "rolled back" in panel.table.value


def test_the_switch_is_the_papers_rule_and_what_the_gate_refuses_says_so(
    window, place, monkeypatch
):
    panel, asked = window.evolving, []

    def evolved(*_, **how):
        asked.append(how)
        judgement = SimpleNamespace(verdict="worse")
        return SimpleNamespace(new=add_version(place, "second", "first"), judgement=judgement)

    monkeypatch.setattr(evolve_panel, "evolved", evolved)
    monkeypatch.setattr(evolve_panel, "page_of", lambda *_: "<p>page</p>")
    monkeypatch.setattr(evolve_panel, "apart", lambda study: study)
    panel.clicks_only.value = True
    panel.evolve.click()
    finished(panel)
    assert asked == [{"clicks_only": True}]
    assert panel.accept.description == "Accept it all the same"
    panel.refuse.click()
    assert panel.accept.description == "Accept the new model"


def test_a_refused_version_is_kept_and_not_used(window, place, monkeypatch):
    panel = window.evolving
    add_version(place, "second", "first")
    panel.show()
    monkeypatch.setattr(evolve_panel, "judged", lambda *args: args[-1])
    monkeypatch.setattr(panel, "_page", lambda version: fake_page(version.name))
    panel.judge.click()
    finished(panel)
    assert panel.judgement.value == "<p>page of second</p>"
    panel.refuse.click()
    assert (window.desk.session.label, panel.judgement.value) == ("first", "")
    assert "refused" in panel.table.value
    assert [v.name for v in Versions(place.folder).all()] == ["first", "second"]


def test_while_it_evolves_one_annotates_and_sees_progress(window, monkeypatch):
    panel, seen = window.evolving, []

    def slow(*_, **__):
        from openscenes.progress import progress

        bar = progress("learning", 2)
        bar.update()
        bar.refresh()
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
        bar.close()
        raise InputError("Accept more objects.")

    monkeypatch.setattr(evolve_panel, "evolved", slow)
    panel.evolve.click()
    assert panel.evolve.disabled
    deadline = time.monotonic() + 10
    while "1 of 2" not in panel.status.value and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "Evolving: learning, 1 of 2" in panel.status.value
    assert (panel.bar.value, panel.bar.max) == (1, 2)
    click_object(window)
    assert window.desk.object is not None
    seen.append(True)
    finished(panel)
    assert "Accept more objects." in window.callbacks.message.value
    assert not panel.evolve.disabled


def test_an_exception_in_the_thread_is_shown(window, monkeypatch):
    monkeypatch.setattr(evolve_panel, "evolved", lambda *_, **__: 1 / 0)
    window.evolving.evolve.click()
    finished(window.evolving)
    assert window.callbacks.failures.outputs[0]["ename"] == "ZeroDivisionError"


def test_a_version_that_another_window_took_up_answers_here_too(window, place):
    add_version(place, "second", "first")
    decide(Versions(place.folder).folder / "history.jsonl", "accepted", "second", "somebody")
    click_object(window)
    assert window.desk.object.model == "second"
    assert "version 1 of" in window.notice.value


@pytest.mark.parametrize("pressed", ["accept", "rollback"])
def test_a_version_that_cannot_be_read_is_not_taken_up(window, place, pressed):
    panel, versions = window.evolving, Versions(place.folder)
    if pressed == "rollback":
        versions.accept(add_version(place, "second", "first").name)
        about = versions.folder / "first" / "about.json"
        put_json(about, versions.named("first").about | {"label": "damaged"})
    else:
        add_version(place, "second", "first", label="damaged")
    window.take_up()
    panel.show()
    before = versions.history(), window.desk.session.label, panel.table.value
    getattr(panel, pressed).click()
    assert "The weights are damaged" in window.callbacks.message.value
    assert (versions.history(), window.desk.session.label, panel.table.value) == before


def test_another_windows_damaged_version_stops_nobody(window, place):
    add_version(place, "second", "first", label="damaged")
    decide(Versions(place.folder).folder / "history.jsonl", "accepted", "second", "somebody")
    click_object(window)
    assert window.desk.object.model == "first"
    assert "version 0 of" in window.notice.value
    window.evolving.rollback.click()
    assert Versions(place.folder).current().name == "first"


def test_a_second_press_of_evolve_leaves_the_words_of_the_first(window, monkeypatch):
    panel = window.evolving
    panel.background.doing = "Judging"
    panel.status.value = "Judging: 3 of 7"
    panel._evolve = window.callbacks.guarded(panel._evolve)
    panel._evolve()
    assert "Judging is still running" in window.callbacks.message.value
    assert panel.status.value == "Judging: 3 of 7"


def test_what_is_left_out_is_listed_on_the_page(window, place):
    assert window.left_out.list.value == ""
    assert window.left_out.former.layout.display == "none"
    assert window.left_out.widget.layout.display is None
    (place.images / "1.png").write_bytes(b"\x89PNG")
    (place.images / "2.png").unlink()
    window.toolbar.buttons["Next"].click()
    assert "3 images, 2 of which cannot be shown" in window.callbacks.message.value
    assert window.left_out.list.value.count("<li>left out: ") == 2
    assert "left out: 1.png (unreadable image" in window.left_out.list.value
    assert "left out: 2.png (image missing" in window.left_out.list.value
    click_object(window)
    assert window.desk.object.image == "0.png"


STRANGE = "<img src=x onerror=alert(1)>\"'&$x_1^2$\n"


class Tags(HTMLParser):
    """All tags of pieces of HTML, and the attributes that would run."""

    def __init__(self, pages):
        super().__init__()
        self.tags, self.handlers = set(), []
        for page in pages:
            self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def every_page(part):
    """The HTML of a widget and of all in it."""
    if isinstance(part, ipywidgets.HTML):
        yield part.value
    for child in getattr(part, "children", ()):
        yield from every_page(child)


def test_no_name_from_outside_becomes_a_tag(place, monkeypatch):
    """Files, folders, classes, versions, deciders, the log's sentence and error sentences."""
    for path in place.images.glob("*.png"):
        path.rename(path.with_name(STRANGE.strip() + path.name))
    named = SimpleNamespace(
        named=lambda _: SimpleNamespace(name=STRANGE, label=STRANGE, about={"label": STRANGE}),
        all=lambda: [SimpleNamespace(name=STRANGE, label=STRANGE)], current=lambda: None,
        history=lambda: [Decision("added", STRANGE, STRANGE, STRANGE)], folder=place.folder,
        title=lambda _: STRANGE,
    )  # fmt: skip
    pages = [evolve_panel.version_table(named), readout({STRANGE: STRANGE}, 1, 2.0)]
    pages += [caption(STRANGE, STRANGE)]
    Versions(place.folder).accept(add_version(place, "first").name)
    monkeypatch.setattr(widget, "session_at_once", lambda *_: desks.BoxModel(STRANGE.strip()))
    monkeypatch.setattr(widget, "session_of", lambda *_: desks.BoxModel(STRANGE.strip()))
    monkeypatch.setattr(Log, "complaint", lambda _: STRANGE)
    monkeypatch.setattr(evolve_panel, "prospect", lambda *_: Split((), (), (), ()))
    shown = opened(place, monkeypatch)
    click_object(shown)
    made = shown.desk.annotations.name(shown.desk.chosen, STRANGE)
    shown.exports.source.value = f"/nowhere/{STRANGE}"
    shown.exports.importing.click()
    pages += every_page(shown.widget)
    for kind in ("coco", "voc", "png", "labelme", "yolo"):
        shown.desk.annotations.accept(made.object_id)
        shown.exports.buttons[kind].click()
        pages += every_page(shown.widget)
    shown.desk.folder.left_out[shown.desk.images[1]] = STRANGE
    shown.draw(0.0)
    pages += every_page(shown.widget)
    pages += [objects_table(place)._repr_html_(), log_tail(place)._repr_html_()]
    pages += [shown.callbacks.message.value]
    read = Tags(pages)
    assert "table" in read.tags
    assert not read.tags & {"img", "script", "a", "iframe"}
    assert read.handlers == []
    assert shown.callbacks.failures.outputs == ()
    for label, _ in shown.objects.list.options:
        assert label.isprintable()
    assert shown.canvas.label.isprintable()
    figure, words = first_image(shown.desk)
    figure.draw_without_rendering()
    assert words.isprintable()


def test_tables_say_what_the_workspace_holds(window, place):
    assert "Nothing is accepted yet" in exported(place).data
    assert objects_table(place).empty
    click_object(window)
    gesture(window, "click", row=6, col=12, sign=-1)
    window.classes.field.value = "cat"
    gesture(window, "accept")
    table = objects_table(place)
    assert tuple(table.columns) == COLUMNS
    seconds = table.pop("seconds")[0]
    assert 0 < seconds < 60
    *known, predicted_by = table.iloc[0].tolist()
    assert known == ["0.png", 1, "cat", 2, 19 * 30, "accepted"]
    assert predicted_by.startswith("version 0 of 20")
    assert log_tail(place)["action"].tolist() == ["asked", "corrected", "named", "accepted"]
    files = exported(place).set_index(["folder", "kind"])["files"]
    assert files["annotations", ".json"] == 2
    assert "Nothing has evolved here yet" in last_judgement(place, None).data
    assert "no path was given" in imported(place).data
    assert "0 object" in imported(place, str(place.folder / "exports/coco")).data
    with pytest.raises(InputError, match="^source is 5, and text is wanted"):
        imported(place, 5)


def test_the_loop_is_drawn_and_said(window):
    drawn = {text.get_text() for text in loop_figure().axes[0].texts}
    assert {place.words.partition("\n")[0] for place in PLACES.values()} <= drawn
    assert {words for _, _, words in ARROWS} <= drawn
    assert "held" not in TEXT or "others" in TEXT
    click_object(window)
    gesture(window, "next")
    figure, words = first_image(window.desk)
    assert "0.png: image 1 of 3" in figure.axes[0].get_title()
    assert (len(figure.axes[0].images), window.desk.place) == (2, 1)
    assert "1 object on it, 0 accepted" in words


@pytest.fixture(scope="module")
def study():
    return LateStudy("smoke")


def test_the_example_begins_once_and_nobodys_own_folder_ever(study, window, capsys):
    example = place_of(study)
    assert "No folder was given" in capsys.readouterr().out
    assert example.images == example_folder(study())
    desk = desks.desk(example.images)
    assert begun(desk, study) == desk.n_accepted() > 0
    assert begun(desk, study) == 0
    assert begun(window.desk, study) == 0
    assert place_of(study, str(window.workspace.images)) == window.workspace


@pytest.mark.parametrize("value", [2024, 1.0, True, None], ids=str)
def test_a_folder_that_papermill_took_for_a_number(study, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    desks.write_images(tmp_path)
    with pytest.raises(InputError, match="^folder is .* text is wanted"):
        place_of(study, value)
    with pytest.raises(InputError, match="^workspace is .* text is wanted"):
        place_of(study, str(tmp_path), value)
    with pytest.raises(InputError, match="^profile is .* text is wanted"):
        LateStudy(value)
    (tmp_path / "2024").mkdir()
    desks.write_images(tmp_path / "2024")
    assert place_of(study, 2024).images == tmp_path / "2024"


def test_the_smallest_model_answers_evolves_and_is_judged(study, capsys):
    """Everything real, with the smallest networks: their numbers mean nothing."""
    example = place_of(study)
    shown = annotator(str(example.images), profile="smoke")
    assert "os-annotator" in shown._dom_classes
    window = opened(example, study=study)
    begun(window.desk, study)
    accepted = window.desk.annotations.accepted()
    answer = window.desk.session.predict(
        window.desk.path, accepted[0].box, accepted[0].interaction.point
    )
    assert answer.mask.dtype == np.bool_
    if len(judgement.prospect(example, study(), accepted).learnable) >= 2:
        window.evolving.evolve.click()
        window.evolving.background.wait(60)
        assert window.callbacks.failures.outputs == ()
        assert window.callbacks.message.value == ""
        assert "os-verdict" in window.evolving.judgement.value
        assert 'alt="Change from' in window.evolving.judgement.value
        window.evolving.accept.click()
        assert window.desk.session.label == Versions(example.folder).all()[-1].name
        assert "os-verdict" in last_judgement(example, study()).data
