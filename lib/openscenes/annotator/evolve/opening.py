"""A study that is opened where it is first wanted, so that nobody waits for it to annotate."""

import threading
from pathlib import Path

from openscenes.amounts import amount
from openscenes.annotator.evolve.evolving import SEED
from openscenes.files import one_line
from openscenes.settings import folder_parameter, text_parameter
from openscenes.study.options import profile_named
from openscenes.study.plan.on_demand import lesson_study, untrained
from openscenes.study.runs.data import Study, given_root
from openscenes.study.runs.recipes import initial


class LateStudy:
    """Call it for the study; the first call opens it, which may draw scenes and takes seconds.

    Attributes:
        device: as given.
    """

    def __init__(self, profile: str = "demo", data: str = "", device: str = "auto") -> None:
        """Take a notebook's parameters; what cannot be a study is refused at once.

        Raises:
            InputError: if one is no text, or there is no such profile.
            DataError: if the data folder is missing.
        """
        self.device, self._given = text_parameter("device", device), (profile, data, device)
        root = folder_parameter("data", data)
        given_root(profile_named(text_parameter("profile", profile)), Path(root) if root else None)
        self._lock, self._study = threading.Lock(), list[Study]()

    def __call__(self) -> Study:
        """The study; a second thread waits for the first."""
        with self._lock:
            if not self._study:
                self._study.append(lesson_study(*self._given))
        return self._study[0]


def still_to_train(study: Study) -> str:
    """What a new workspace's first version waits for, in words; "" where it is there."""
    missing = untrained(study, [initial(study.profile.initial_sets[-1], SEED)])
    if not missing:
        return ""
    names = ", ".join(one_line(recipe.words()) for recipe in missing)
    return f"{amount(len(missing), 'model', 'are')} trained first, once: {names}"
