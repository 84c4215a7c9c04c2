"""A download goes on where it was cut off, and says in one sentence why it cannot."""

import re
import socket
from pathlib import Path
from runpy import run_path

import pytest

from openscenes import downloads
from openscenes.downloads import fetch_part, gigabytes, mirrored, part_of
from openscenes.errors import DataError, InputError

serving = run_path(str(Path(__file__).with_name("serving.py")))["serving"]
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES_S", ())
    monkeypatch.delenv(downloads.MIRROR, raising=False)
    with serving() as found:
        found.files["a.zip"] = CONTENT
        yield found


def fetched(server, path, size=None):
    return fetch_part(f"{server.address}/a.zip", path, size).read_bytes()


def cut_off(server, path, n_bytes, size=None):
    """Fetch until the server ends the connection after so many bytes."""
    server.ends_after = n_bytes
    with pytest.raises(DataError, match=r"a\.zip was cut off after .*; the same command goes on"):
        fetched(server, path, size)
    server.ends_after = None


def test_a_whole_file_comes_once(server, tmp_path):
    path = tmp_path / "a.zip"
    for _ in range(2):
        assert fetched(server, path, len(CONTENT)) == CONTENT
    assert server.asked == [("a.zip", 0)] and not path.exists()


def test_what_was_cut_off_goes_on_and_no_byte_comes_twice(server, tmp_path):
    path = tmp_path / "a.zip"
    cut_off(server, path, 3000)
    cut_off(server, path, 1000)
    assert part_of(path).stat().st_size == 4000
    assert fetched(server, path) == CONTENT
    assert server.asked == [("a.zip", 0), ("a.zip", 3000), ("a.zip", 4000)]
    assert server.sent == len(CONTENT)


def test_a_broken_transfer_goes_on_by_itself(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "PAUSES_S", (0, 0))
    server.ends_after = 4000
    assert fetched(server, tmp_path / "a.zip") == CONTENT
    assert [start for _, start in server.asked] == [0, 4000, 8000]
    assert capsys.readouterr().err.count("going on in 0 s") == 2


def test_a_server_that_ends_at_once_is_not_asked_for_ever(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES_S", (0, 0, 0))
    cut_off(server, tmp_path / "a.zip", 0)
    assert len(server.asked) == 1


@pytest.mark.parametrize("change", ["version", "size", "shorter"])
def test_a_file_that_changed_begins_anew(server, tmp_path, change):
    path = tmp_path / "a.zip"
    cut_off(server, path, 3000)
    newer = {"version": CONTENT[::-1], "size": CONTENT + b"more", "shorter": CONTENT[:2000]}[change]
    server.files["a.zip"] = newer
    server.versions["a.zip"] = '"2"' if change == "version" else '"1"'
    assert fetched(server, path) == newer
    assert server.asked == [("a.zip", 0), ("a.zip", 3000), ("a.zip", 0)]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    path = tmp_path / "a.zip"
    cut_off(server, path, 3000)
    server.ranges = False
    assert fetched(server, path) == CONTENT
    assert len(list(tmp_path.iterdir())) == 1


def test_a_server_without_end_fills_no_disk(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_CHUNK_BYTES", 100)
    server.lengths = False
    with pytest.raises(DataError, match=r"a\.zip has more bytes, and the published file has 3,000"):
        fetched(server, tmp_path / "a.zip", 3000)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_names_no_length_is_believed_the_published_one(server, tmp_path):
    path = tmp_path / "a.zip"
    server.lengths = False
    cut_off(server, path, 3000, len(CONTENT))
    assert fetched(server, path, len(CONTENT)) == CONTENT
    assert fetched(server, tmp_path / "b.zip") == CONTENT


def test_another_size_than_the_published_one_is_another_file(server, tmp_path):
    with pytest.raises(DataError, match=r"has 10,240 bytes, and the published file has 7: it is"):
        fetched(server, tmp_path / "a.zip", 7)
    assert not list(tmp_path.iterdir())


def closed_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("{address}/b.zip", r"b\.zip answers 404 Not Found; .* a mirror that has b\.zip: OPENSC"),
        ("http://127.0.0.1:{port}/b.zip", r"cannot be reached \(Connection refused\); mend"),
        ("http://no such host/b.zip", r"cannot be reached \(URL can't contain"),
        ("http://[::1/b.zip", "cannot be reached"),
        ("http:///b.zip", "cannot be reached"),
        ("http://127.0.0.1:x/b.zip", "cannot be reached"),
        ("http://h\u00f6st\ud800/b.zip", "cannot be reached"),
        ("file:///no/such/b.zip", r"cannot be reached \(No such file or directory\)"),
    ],
    ids=["404", "refused", "blanks", "bracket", "no-host", "port", "letters", "file"],
)
def test_what_cannot_be_reached_is_one_sentence(server, tmp_path, url, said):
    with pytest.raises(DataError, match=said) as caught:
        fetch_part(url.format(address=server.address, port=closed_port()), tmp_path / "b.zip")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["{}", "file://{}", "file://{}/"], ids=["folder", "file", "end"])
def test_a_folder_is_a_mirror(tmp_path, monkeypatch, given):
    there = tmp_path / "a mirror"
    there.mkdir()
    (there / "a.zip").write_bytes(CONTENT)
    given = given.format(there if given == "{}" else f"{tmp_path}/a%20mirror")
    monkeypatch.setenv(downloads.MIRROR, given)
    url = mirrored("https://publisher/deep/a.zip")
    assert fetch_part(url, tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("given", ["nonsense", "ftp://host", "http", "http://[::1", "~nobody-/x"])
def test_a_mirror_of_nonsense_is_refused(monkeypatch, given):
    monkeypatch.setenv(downloads.MIRROR, given)
    with pytest.raises(InputError, match=f"OPENSCENES_MIRROR is '{re.escape(given)}'; give an add"):
        mirrored("https://publisher/a.zip")


def test_bytes_for_people():
    told = [gigabytes(n) for n in (0, 999, 1000, 252_907_541, 19_336_861_798)]
    assert told == ["0 bytes", "999 bytes", "1.0 kB", "252.9 MB", "19.3 GB"]
