"""The parts of iFCN and FCTSFN: enlargement, settings, ImageNet's weights and their errors."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from openscenes.errors import InputError, WeightsError
from openscenes.networks import weights as imagenet
from openscenes.networks.openscene import IMAGENET_STD
from openscenes.peers.networks.vgg import FIRST, FCNConfig, VGGStages, bilinear, imagenet_vgg
from openscenes.seeding import torch_generator

NARROW = FCNConfig(widths=(4, 6, 8, 10, 12), fc_width=16)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Make torchvision offer one file, fetched by ``answer``; return the kinds asked for."""

    def publish(answer, digest="0123"):
        asked = []

        def offer(kind):
            asked.append(kind)
            return {"IMAGENET1K_V1": SimpleNamespace(url=f"a/vgg16-{digest}.pth")}

        monkeypatch.setattr(imagenet, "get_model_weights", offer)
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        monkeypatch.setattr(torch.hub, "download_url_to_file", answer)
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
def test_without_a_file_torchvisions_own_is_fetched(published, tmp_path, batch_norm, kind):
    kernels = torch.randn(4, 3, 3, 3, generator=torch_generator("kernels"))
    torch.save({FIRST: kernels, "features.0.bias": torch.ones(4)}, tmp_path / "offered")
    offered = (tmp_path / "offered").read_bytes()
    fetched = []

    def answer(url, path, digest, progress):
        fetched.append((url, digest, progress))
        Path(path).write_bytes(offered)

    digest = hashlib.sha256(offered).hexdigest()[:8]
    asked = published(answer, digest)
    for _ in range(2):
        state = imagenet_vgg(FCNConfig(batch_norm=batch_norm), None)
    assert asked == [kind, kind] and fetched == [(f"a/vgg16-{digest}.pth", digest, False)]
    for channel, deviation in enumerate(IMAGENET_STD):
        torch.testing.assert_close(state[FIRST][:, channel] * 255 * deviation, kernels[:, channel])
    assert torch.equal(state["features.0.bias"], torch.ones(4))


def test_a_fetched_file_that_has_changed_is_not_read(published, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    torch.save({FIRST: torch.zeros(4, 3, 3, 3)}, tmp_path / "checkpoints/vgg16-0123.pth")
    published(lambda *_, **__: pytest.fail("fetched again"))
    with pytest.raises(WeightsError, match=r"vgg16-0123\.pth is damaged; remove it, and it is fet"):
        imagenet_vgg(NARROW, None)


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value")])
def test_a_failed_fetch_says_what_to_do(published, error):
    def fail(*_, **__):
        raise error

    published(fail)
    with pytest.raises(WeightsError, match=rf"\({error}\); put vgg16-0123\S* into "):
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
