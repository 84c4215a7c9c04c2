"""The protocol in words: what reproductions leave open, and how it is done here."""

from openscenes.study.experiments.rows import TITLES
from openscenes.study.experiments.table_1 import AT, FIRST_CLICKS, TARGETS
from openscenes.study.profiles import LIMIT, THRESHOLDS
from openscenes.study.runs.recipes import HUMAN_MARGIN

_TARGETS = ", ".join(
    f"{100 * target:.0f} % on {TITLES[where]}" for where, target in TARGETS.items()
)
_CHOICES = ", ".join(f"{t:g}" for t in THRESHOLDS)
_SPENT = ", ".join(f"{name} {n}" for name, n in FIRST_CLICKS.items())

RULES = f"""## Protocol

What reproductions leave open; by profile and by system: [settings](settings.md).

- **IoU** is counted in pixels of the source image: the crop's probability is pasted back
  (bicubic) and compared with one absolute threshold, the same for all objects.
- **Threshold**: 0.5 unless the settings say otherwise. In Table 1 each system has its own, the best
  of {_CHOICES} after three clicks on the *source's* validation set, fixed there and
  used on the new scenes; the notes of Table 1 list them. On that set itself each half of the images
  has the threshold that is best on the other half: never the best of several on the objects that
  are reported, and never relative to a map's own maximum.
- **Void** pixels (VOC's borders) count neither as right nor as wrong, for clicks and for IoU.
  Cityscapes and COCO have none: what their readers leave out is background.
- **Average**: the mean over objects, then over seeds; not over images or classes. Two empty masks
  agree (IoU 1). Intervals draw images, each with all its objects, and seeds.
- **The user of Tables 2 to 7** gives one box and one point, once; the mask is never corrected.
  The point follows the object through every augmentation; only in training on labels, where the
  settings say so, others click and draw the box. Where Table 4+ clips masks to a jittered box,
  that box is first widened by {HUMAN_MARGIN:g} times the typical error.
- **The user of Table 1** clicks on the deepest pixel of the larger kind of error, missing or
  superfluous, without void; on an empty prediction that is the deepest pixel of the object. Equally
  deep: the first in raster order, and a negative click wins. No pixel is clicked twice.
- **IoU@{AT}** is read after {AT} clicks; a box with a point counts three, four extremes count four,
  so DEXTR's stands after four.
- **NoC** is the number of clicks until the IoU first reaches {_TARGETS}. Success at the
  last click, the {LIMIT}th, is a success. An object that never gets there counts {LIMIT}, and the
  share of such objects is shown apart. Nobody stops early: NoC and IoU come from the same curves.
- **NoC of systems with a box or extremes**: the paper prints what the protocol spends
  ({_SPENT}), marked *nominal*. Here it is measured: the first prediction
  costs as much, IOG and ours are then corrected click by click by the same network, and
  DEXTR, which takes no corrections, keeps its first prediction.
- **Equal bits** come from equal code, data and settings on a CPU of the same kind, with the same
  versions and threads of a training; stopped and continued or not, in one process or on many
  workers. Last digits differ, and the difference grows with every step, with other threads
  (`paper` on a CPU takes all, the other profiles one), another kind of processor or GPU, another
  CUDA. On a GPU two equal runs differ unless `DETERMINISTIC=1`. `PRECISION=tf32` and `bf16-mixed`
  round more; `DEVICES_PER_MODEL` adds gradients in another order; `MICRO_BATCH` adds them in parts,
  and BatchNorm, where it learns, averages over each part. These settings, the kind of device (CPU
  or GPU) and torch's version are in a model's name; threads, kind of processor and CUDA are not:
  who shares a cache takes the model of whoever trained it first, and its `run.json` says where that
  was. None of this was tried on a GPU yet."""
