"""The parts of iFCN and FCTSFN: enlargement, settings, ImageNet's weights and their errors."""

import hashlib
import shutil
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from openscenes.downloads import MIRROR
from openscenes.errors import InputError, WeightsError
from openscenes.networks import weights as imagenet
from openscenes.networks.openscene import IMAGENET_STD
from openscenes.peers.networks.vgg import (
    FIRST,
    FCNConfig,
    FCNHead,
    VGGStages,
    bilinear,
    imagenet_vgg,
)
from openscenes.seeding import torch_generator

NARROW = FCNConfig(widths=(4, 6, 8, 10, 12), fc_width=16)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Make torchvision offer one file, of these bytes; return the kinds asked for."""

    def publish(content=b"", digest=None):
        asked, digest = [], digest or hashlib.sha256(content).hexdigest()[:8]
        name = f"vgg16-{digest}.pth"
        (tmp_path / "server").mkdir()
        (tmp_path / "server" / name).write_bytes(content)

        def offer(kind):
            asked.append(kind)
            url = (tmp_path / "server" / name).as_uri()
            return {"IMAGENET1K_V1": SimpleNamespace(url=url, meta={"_file_size": 1.0})}

        monkeypatch.setattr(imagenet, "get_model_weights", offer)
        monkeypatch.delenv(MIRROR, raising=False)
        monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        return asked

    return publish


def test_enlargement_by_hand_and_as_a_bilinear_deconvolution():
    row = torch.tensor([[[[0.0, 1.0]]]])
    assert bilinear(row, (1, 4)).tolist() == [[[[0.0, 0.25, 0.75, 1.0]]]]
    maps = torch.randn(1, 1, 5, 5, generator=torch_generator("maps"))
    tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
    literal = F.conv_transpose2d(maps, torch.outer(tent, tent)[None, None], stride=2, padding=1)
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(bilinear(maps, (10, 10))[inner], literal[inner])


def test_a_dropped_pool_keeps_the_grid_and_the_names():
    pools = (True, False, True, False, True)
    dropped = VGGStages(FCNConfig(widths=NARROW.widths, pools=pools), 3, range(5))
    whole = VGGStages(NARROW, 3, range(5))
    assert [part.shape[-1] for part in dropped(torch.zeros(1, 3, 32, 32)).pooled] == [
        *(16, 16, 8, 8, 4)
    ]
    assert list(dropped.imagenet_names()) == list(whole.imagenet_names())


@pytest.mark.parametrize(("batch_norm", "kind"), [(False, "vgg16"), (True, "vgg16_bn")])
def test_without_a_file_torchvisions_own_is_fetched_once(published, tmp_path, batch_norm, kind):
    kernels = torch.randn(4, 3, 3, 3, generator=torch_generator("kernels"))
    torch.save({FIRST: kernels, "features.0.bias": torch.ones(4)}, tmp_path / "offered")
    asked = published((tmp_path / "offered").read_bytes())
    for _ in range(2):
        state = imagenet_vgg(FCNConfig(batch_norm=batch_norm), None)
        shutil.rmtree(tmp_path / "server", ignore_errors=True)
    assert asked == [kind, kind] and not (tmp_path / "torch").exists()
    for channel, deviation in enumerate(IMAGENET_STD):
        torch.testing.assert_close(state[FIRST][:, channel] * 255 * deviation, kernels[:, channel])
    assert torch.equal(state["features.0.bias"], torch.ones(4))


def test_a_copy_of_torchs_own_is_used_and_one_that_has_changed_is_not(published, tmp_path):
    torch.save({FIRST: torch.zeros(4, 3, 3, 3)}, tmp_path / "offered")
    content = (tmp_path / "offered").read_bytes()
    published(content)
    shutil.move(tmp_path / "server", tmp_path / "torch/hub/checkpoints")
    (copy,) = (tmp_path / "torch/hub/checkpoints").iterdir()
    assert not imagenet_vgg(NARROW, None)[FIRST].any()
    assert not (tmp_path / "cache/weights").exists()
    copy.write_bytes(content[:-1])
    with pytest.raises(WeightsError, match=rf"{copy.name} is damaged; remove it, and it is fetch"):
        imagenet_vgg(NARROW, None)


def test_a_file_of_another_digest_is_not_kept(published, tmp_path):
    published(b"another", digest="0123")
    said = r"vgg16 could not be fetched: what file:.* sends has another sha256 .* or put vgg16-0123"
    with pytest.raises(WeightsError, match=said):
        imagenet_vgg(NARROW, None)
    assert [p.name for p in (tmp_path / "cache/weights").iterdir()] == [".vgg16-0123.pth.lock"]


def test_a_cache_that_cannot_be_written_says_so(published, tmp_path):
    published(b"x")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/weights").touch()
    with pytest.raises(WeightsError, match=r"could not be fetched: File exists; or put vgg16-"):
        imagenet_vgg(NARROW, None)


def test_a_file_of_another_network_is_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="holds no VGG; take the state dict of .*vgg16_bn"):
        imagenet_vgg(FCNConfig(batch_norm=True), tmp_path / "other.pth")


def test_settings_that_build_nothing_are_refused():
    with pytest.raises(InputError, match=r"widths \(8, 8\).*give 5 values and an odd kernel"):
        FCNConfig(widths=(8, 8))
    with pytest.raises(InputError, match="fc_kernel 4; give 5 values and an odd kernel"):
        FCNConfig(fc_kernel=4)
    with pytest.raises(InputError, match=r"dropout is 1\.0; give a number between 0 and 0\.9"):
        FCNConfig(dropout=1.0)


def test_skips_are_scaled_before_their_scores():
    """FCN-8s at once: pool4 counts a hundredth, pool3 a ten thousandth."""
    head = FCNHead(NARROW, third=4, fourth=5)
    third, fourth, fifth = torch.ones(1, 4, 8, 8), torch.ones(1, 5, 4, 4), torch.ones(1, 12, 2, 2)
    fine, middle, coarse = head(third, fourth, fifth)
    skipped4 = head.score_pool4.weight.sum() * 0.01 + head.score_pool4.bias
    skipped3 = head.score_pool3.weight.sum() * 0.0001 + head.score_pool3.bias
    torch.testing.assert_close(middle, bilinear(coarse, (4, 4)) + skipped4)
    torch.testing.assert_close(fine, bilinear(middle, (8, 8)) + skipped3)
