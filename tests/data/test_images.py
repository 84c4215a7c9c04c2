"""Every kind of picture file through the one function that reads them."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from openscenes.data.datasets.file_ends import png_chunks
from openscenes.data.datasets.images import orientation, read_header, read_image
from openscenes.data.datasets.labels import read_labels
from openscenes.data.datasets.layout import DamagedFile
from openscenes.data.datasets.orientation import turned, turned_back
from openscenes.data.examples import (
    Example,
    ImageCache,
    clicked_object,
    from_clicks,
    labelled_object,
)
from openscenes.errors import DataError, InputError

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY16 = np.linspace(3000, 60000, 600).reshape(20, 30).astype(np.uint16)


def saved(pixels, path, **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path, **options)
    return path


def tagged(tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


def chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunk(path, kind, content, place):
    data = path.read_bytes()
    path.write_bytes(data[:place] + chunk(kind, content) + data[place:])
    return path


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_what_needs_no_rule_is_as_pillow_converts_it(mode, kind, tmp_path):
    picture = Image.fromarray(RGB).convert(mode)
    try:
        path = saved(picture, tmp_path / "image", format=kind)
    except OSError:
        pytest.skip("the format knows no such mode")
    with Image.open(path) as opened:
        expected = np.asarray(opened.convert("RGB"))
    found = read_image(path)
    assert (found == expected).all() and found.dtype == np.uint8 and found.flags.writeable
    assert read_header(path).size == (20, 30)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_keeps_its_upper_8_bits(suffix, tmp_path):
    found = read_image(saved(GREY16, tmp_path / f"a.{suffix}"))
    assert (found == (GREY16 >> 8)[..., None]).all()


def test_where_0_is_white_16_bits_are_turned_round(tmp_path):
    found = read_image(saved(GREY16, tmp_path / "a.tif", tiffinfo={262: 0}))
    assert (found == 255 - (GREY16 >> 8)[..., None]).all()


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_without_a_range_are_stretched_between_percentiles(kind, tmp_path):
    values = np.arange(1001, dtype=kind).reshape(7, 143)
    found = read_image(saved(values, tmp_path / "a.tif"))[..., 0].ravel()
    assert found[0] == found[5] == 0 and found[500] == 128 and found[995] == found[1000] == 255
    assert (np.diff(found.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
        ([np.nan, 0.0, 1.0], [0, 0, 255]),
        ([-np.inf, 0.0, 1.0, np.inf], [0, 0, 255, 255]),
        ([0.0] * 999 + [2.0], [0] * 999 + [255]),
    ],
    ids=["constant", "no number", "nan", "infinite", "one speck"],
)
def test_odd_numbers_have_a_grey_value(values, expected, tmp_path):
    path = saved(np.array([values], np.float32), tmp_path / "a.tif")
    assert read_image(path)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_what_is_transparent_lies_on_white(suffix, tmp_path):
    pixels = np.full((4, 4, 4), (200, 0, 100, 255), np.uint8)
    pixels[1, :, 3], pixels[2, :, 3] = 0, 51
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    found = read_image(saved(pixels, tmp_path / f"a.{suffix}", **options))
    rows = [[200, 0, 100], [255, 255, 255], [244, 204, 224], [200, 0, 100]]
    assert found[:, 0].tolist() == rows


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1", "LA", "I;16"])
def test_other_ways_to_be_transparent(mode, tmp_path):
    picture = Image.new("RGB", (4, 4), (0, 0, 0)).convert("L" if mode == "I;16" else mode)
    options = {"transparency": (0, 0, 0) if mode == "RGB" else 0}
    if mode == "LA":
        picture.putalpha(0)
        options = {}
    if mode == "I;16":
        path = saved(np.zeros((4, 4), np.uint16), tmp_path / "a.png")
        with_chunk(path, b"tRNS", b"\0\0", 33)
    else:
        path = saved(picture, tmp_path / "a.png", **options)
    assert (read_image(path) == 255).all()


def test_colours_of_lab(tmp_path):
    pixels = np.array([[[255, 0, 0], [0, 0, 0], [136, 208, 195]]], np.uint8)  # a, b from -128
    found = read_image(saved(Image.frombytes("LAB", (3, 1), pixels.tobytes()), tmp_path / "a.tif"))
    assert found[0, :2].tolist() == [[255, 255, 255], [0, 0, 0]]
    blue = found[0, 2].tolist()
    assert blue[2] > 200 > blue[1]


@pytest.mark.parametrize("tag", range(10))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_orientation_tag_turns_a_users_image_alone(suffix, tag, tmp_path):
    path = saved(RGB, tmp_path / f"a.{suffix}", exif=tagged(tag))
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    found, stored = read_image(path, upright=True), read_image(path)
    known = tag if 1 <= tag <= 8 else 1
    assert (found == expected).all() and stored.shape == (20, 30, 3)
    assert (turned(stored, tag) == found).all() and (turned_back(found, tag) == stored).all()
    header = read_header(path, upright=True)
    assert header.size == found.shape[:2] and header.orientation == known == orientation(path)
    assert read_header(path).size == (20, 30)


def test_masks_are_turned_as_images_are():
    mask = np.array([[1, 2, 3], [4, 5, 6]])
    assert turned(mask, 6).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert turned(mask, 8).tolist() == [[3, 6], [2, 5], [1, 4]]


def test_a_tag_behind_the_pixels_of_a_png_counts(tmp_path):
    path = saved(RGB, tmp_path / "a.png")
    block = tagged(6).tobytes().removeprefix(b"Exif\0\0")
    with_chunk(path, b"eXIf", block, path.stat().st_size - 12)
    assert read_header(path, upright=True).size == (30, 20)
    assert (read_image(path, upright=True) == turned(RGB, 6)).all()


def damaged_blocks():
    whole = tagged(6).tobytes()
    yield from (whole[:size] for size in range(6, 26))  # its value ends there
    yield b"Exif\0\0II*\0\xff\xff\xff\xff"
    yield b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03"
    yield b"Exif\0\0" + bytes(40)


@pytest.mark.parametrize("block", [*damaged_blocks()], ids=lambda block: f"{len(block)} bytes")
def test_a_damaged_tag_is_no_tag(block, tmp_path):
    path = saved(RGB, tmp_path / "a.jpg", exif=block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path, upright=True).shape == (20, 30, 3)
        assert orientation(path) == 1


def test_the_cache_keeps_both_ways_apart(tmp_path):
    path, cache = saved(RGB, tmp_path / "a.png", exif=tagged(6)), ImageCache()
    assert cache.image(path).shape == (20, 30, 3)
    assert cache.image(path, upright=True).shape == (30, 20, 3)
    assert cache.image(path) is cache.image(path)


def test_the_cache_reads_a_file_that_changed_anew(tmp_path):
    path, cache = saved(RGB, tmp_path / "a.png"), ImageCache()
    assert (cache.image(path) == RGB).all()
    saved(255 - RGB, path)
    assert (cache.image(path) == 255 - RGB).all()


def test_a_users_own_objects_lie_on_the_upright_image(tmp_path):
    example = from_clicks(clicked_object(tmp_path / "a.png", (0, 0, 9, 9), (4, 4)))
    assert isinstance(example, Example) and example.upright


BEHIND = {
    "film": b"\0\0\0\x18ftypmp42" + bytes(range(1, 200)) * 60,
    "zeros": bytes(9000),
    "line break": b"\r\n",
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif"])
def test_what_follows_the_picture_does_not_matter(suffix, behind, tmp_path, monkeypatch):
    path = saved(RGB, tmp_path / f"a.{suffix}")
    expected = read_image(path)
    path.write_bytes(path.read_bytes() + behind)
    with monkeypatch.context() as patched:
        patched.setattr(ImageFile.ImageFile, "load", None)  # its structure is enough
        assert read_header(path).size == (20, 30)
    assert (read_image(path) == expected).all()


def test_grey_of_12_bits_keeps_its_upper_8_bits(tmp_path):
    data = bytes([0xFF, 0xF0, 0x00, 0x12, 0x38, 0x00])  # 4095, 0, 291, 2048
    numbers = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 1, 279: len(data)}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in numbers.items())
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(numbers)) + tags + bytes(4) + data)
    assert read_image(path)[0, :, 0].tolist() == [255, 0, 18, 128]


def test_a_jpeg_without_its_end_mark_is_whole_where_all_of_it_decodes(tmp_path):
    path = saved(RGB, tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-2] + bytes(5000))
    assert read_header(path).size == read_image(path).shape[:2] == (20, 30)


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif"])
def test_a_file_that_is_cut_short_is_noticed(suffix, share, tmp_path):
    path = saved(RGB, tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    for read in (read_header, read_image):
        with pytest.raises(DamagedFile, match="unreadable image"):
            read(path)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    exif, thumbnail = tagged(1), io.BytesIO()
    Image.fromarray(RGB).save(thumbnail, "JPEG")
    exif[0x927C] = thumbnail.getvalue()  # any block of bytes
    path = saved(np.tile(RGB, (5, 5, 1)), tmp_path / "a.jpg", exif=exif)
    data = path.read_bytes()
    assert data.count(b"\xff\xd9") == 2
    path.write_bytes(data[: len(data) * 3 // 4])
    assert b"\xff\xd9" in path.read_bytes()
    with pytest.raises(DamagedFile, match="cut short"):
        read_header(path)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"], ids=["profile", "text"])
def test_large_texts_and_profiles_do_not_matter(kind, tmp_path):
    path = saved(RGB, tmp_path / "a.png")
    with_chunk(path, kind, b"a\0\0" + zlib.compress(bytes(3_000_000)), 33)
    assert read_header(path).size == (20, 30)
    assert (read_image(path) == RGB).all()


def test_only_the_formats_that_we_name_are_opened(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    saved(RGB, tmp_path / "b.png", format="GIF")
    (tmp_path / "c.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    (tmp_path / "d.jpg").write_bytes(b"")
    for name in ("a.png", "b.png", "c.jpg", "d.jpg"):
        for read in (read_header, read_image):
            with pytest.raises(DamagedFile, match="JPEG or PNG or BMP or WEBP or TIFF"):
                read(tmp_path / name)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    wanted = {
        "pipe": "it is a named pipe",
        "folder": "it is a folder",
        "loop": "it cannot be|mask missing",
    }
    for name, message in wanted.items():
        for read in (read_header, read_image, read_labels):
            with pytest.raises(DamagedFile, match=message):
                read(tmp_path / f"{name}.png")
    for name in ("none.png", "a\0b", "n" * 300):
        with pytest.raises(DataError, match="image missing"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("size", "message"),
    [((15_000, 15_000), r"\(225000000 pixels\)"), ((40_000, 3), "sides of at most 32766")],
    ids=["pixels", "side"],
)
def test_too_large_an_image_is_refused_with_what_to_do(size, message, tmp_path):
    path = saved(RGB, tmp_path / "a.png")
    data, head = path.read_bytes(), struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    path.write_bytes(data[:8] + chunk(b"IHDR", head) + data[33:])
    for read, what in ((read_header, "image"), (read_image, "image"), (read_labels, "mask")):
        with pytest.raises(
            DamagedFile, match=f"{what} too large: .*{message}.*; cut it or scale it down"
        ):
            read(path)


def test_a_large_image_is_read_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)  # 600 pixels: between once and twice
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(saved(RGB, tmp_path / "a.png")).shape == (20, 30, 3)


def test_of_a_film_the_first_image_counts(tmp_path):
    others = [Image.fromarray(255 - RGB)]
    for suffix in ("png", "tif"):
        path = tmp_path / f"a.{suffix}"
        saved(RGB, path, save_all=True, append_images=others)
        assert (read_image(path) == RGB).all()


def test_label_maps_are_png_alone_and_one_number_a_pixel(tmp_path):
    labels = np.array([[0, 1], [1, 0]], np.uint8)
    one_bit = saved(Image.fromarray(labels * 255).convert("1"), tmp_path / "a.png")
    assert read_labels(one_bit).tolist() == labels.tolist() and read_labels(one_bit).dtype == "u1"
    wide = saved(labels.astype(np.uint16) * 26001, tmp_path / "b.png")
    assert read_labels(wide).max() == 26001
    for picture in (RGB, Image.fromarray(labels).convert("LA")):
        with pytest.raises(DamagedFile, match="mask is not a label image"):
            read_labels(saved(picture, tmp_path / "c.png"))
    with pytest.raises(DamagedFile, match="unreadable mask: .*cannot be read as PNG"):
        read_labels(saved(labels, tmp_path / "d.png", format="GIF"))


def test_chunks_of_a_png_that_is_cut(tmp_path):
    data = saved(RGB, tmp_path / "a.png").read_bytes()
    assert [kind for kind, _ in png_chunks(io.BytesIO(data))] == [b"IHDR", b"IDAT", b"IEND"]
    assert [kind for kind, _ in png_chunks(io.BytesIO(data[:-4]))] == [b"IHDR", b"IDAT"]


def test_the_mask_of_a_users_object_lies_on_the_upright_image(tmp_path):
    image = saved(RGB, tmp_path / "a.jpg", exif=tagged(6))
    mask = saved(np.ones((30, 20), np.uint8), tmp_path / "a.png")
    example = labelled_object(image, mask, (0, 0, 30, 20), (9, 9), class_index=1)
    assert example.upright and example.supervision.area == 600
    stored = saved(np.ones((20, 30), np.uint8), tmp_path / "b.png")
    with pytest.raises(DataError, match="mask differs in size from its image"):
        labelled_object(image, stored, (0, 0, 20, 30), (9, 9), class_index=1)
    for index in (0, -1, True, "8", 1.5, 10**9):
        with pytest.raises(InputError, match="class_index is"):
            labelled_object(image, mask, (0, 0, 30, 20), (9, 9), class_index=index)
