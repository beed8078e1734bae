"""Downloading EMO-DB, from a server on this machine that fails in the ways servers fail."""

import hashlib
import io
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from skser.datasets import _emodb, fetch_emodb, load_emodb
from skser.datasets._download import _CHUNK as CHUNK
from skser.exceptions import CorpusError, IncompleteCorpusWarning


class Server:
    """Serves one file; tests say how it fails, and read what was asked of it."""

    def __init__(self):
        self.content = b""
        self.status = 200
        self.knows_ranges = True
        self.sends_length = True
        self.range_shift = 0  # by how many bytes ranges are off
        self.cuts = []  # after how many bytes the next answers break off
        self.ranges = []  # the Range header of each request, None without one
        self.n_sent = []  # bytes of content sent in each answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/download.zip"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        self.n_sent.append(0)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.status != 200:
            request.send_error(self.status)
            return
        start = start + self.range_shift if asked and self.knows_ranges else 0
        total = len(self.content)
        if start >= total:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{total}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if asked and self.knows_ranges else 200)
        if asked and self.knows_ranges:
            request.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if self.sends_length:
            request.send_header("Content-Length", str(total - start))
        request.end_headers()
        body = self.content[start:]
        body = body[: self.cuts.pop(0)] if self.cuts else body
        self.n_sent[-1] = len(body)
        request.wfile.write(body)

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def pack(files):
    """Make a ZIP file of names and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def recordings(mini_emodb):
    return {f"wav/{path.name}": path.read_bytes() for path in (mini_emodb / "wav").iterdir()}


@pytest.fixture
def mini_release(recordings, server, monkeypatch):
    """Let the five recordings be all of the official release, and serve it."""
    hashes = {
        name.removeprefix("wav/"): hashlib.sha256(content).hexdigest()
        for name, content in recordings.items()
    }
    monkeypatch.setattr(_emodb, "_official_hashes", lambda: hashes)
    # The archive holds more than is wanted; here, enough for a download of several parts.
    labels = np.random.default_rng(0).bytes(10 * CHUNK)
    server.content = pack(recordings | {"erkennung.txt": "Satz", "lablaut/03a01Fa.lablaut": labels})
    return server


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- all is well -----------------------------------------------------------------------------


def test_downloads_unpacks_and_reads(mini_release, home, mini_emodb):
    bunch = fetch_emodb(data_home=home, url=mini_release.url)
    expected = load_emodb(mini_emodb)
    assert bunch.frame.equals(expected.frame)
    assert bunch.data == [str(home / "emodb" / "wav" / file) for file in expected.frame["file"]]
    wavs = [f"emodb/wav/{file}" for file in expected.frame["file"]]
    # Neither the archive nor anything temporary is left, nor files that are not wanted.
    assert names_in(home) == sorted(["emodb", "emodb/erkennung.txt", "emodb/wav", *wavs])


def test_second_call_needs_no_network(mini_release, home):
    first = fetch_emodb(data_home=home, url=mini_release.url)
    mini_release.close()
    second = fetch_emodb(data_home=home, url=mini_release.url)
    assert second.data == first.data
    assert len(mini_release.ranges) == 1


def test_folder_of_the_environment(mini_release, home, monkeypatch):
    monkeypatch.setenv("SKSER_DATA", str(home))
    assert fetch_emodb(url=mini_release.url).data[0].startswith(str(home / "emodb"))


def test_default_folder_is_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("SKSER_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _emodb._data_home(None).name == "skser"
    assert _emodb._data_home("~/x") == Path.home() / "x"


def test_an_archive_left_by_an_interrupted_call_is_used(mini_release, home):
    home.mkdir()
    (home / "emodb.zip").write_bytes(mini_release.content)
    fetch_emodb(data_home=home, url=mini_release.url)
    assert mini_release.ranges == []


@pytest.mark.parametrize("prefix", ["", "wav/", "emodb/wav/"])
def test_recordings_may_lie_in_any_folder_of_the_archive(mini_release, recordings, home, prefix):
    mini_release.content = pack(
        {prefix + name.removeprefix("wav/"): content for name, content in recordings.items()}
    )
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5


def test_an_archive_cannot_write_elsewhere(mini_release, recordings, home):
    mini_release.content = pack(
        recordings
        | {
            "../evil.wav": b"x",
            "../../evil.txt": b"x",
            "/evil.wav": b"x",
            "wav/../../evil.wav": b"x",
            "../erkennung.txt": b"x",
        }
    )
    fetch_emodb(data_home=home, url=mini_release.url)
    assert not list(home.parent.rglob("evil*"))
    assert [path.parent for path in home.parent.rglob("erkennung.txt")] == [home / "emodb"]


def test_real_corpus_through_the_network(emodb_root, server, home):
    server.content = pack({f"wav/{p.name}": p.read_bytes() for p in (emodb_root / "wav").iterdir()})
    server.cuts = [len(server.content) // 2]
    assert len(fetch_emodb(data_home=home, url=server.url).data) == 535
    assert sum(server.n_sent) < 1.1 * len(server.content)


def test_progress_is_for_terminals_only(mini_release, home, capfd, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    fetch_emodb(data_home=home, url=mini_release.url, progress=True)
    assert "Downloading 0" not in capfd.readouterr().err
    shutil.rmtree(home)
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told to take a file for a terminal
    fetch_emodb(data_home=home, url=mini_release.url, progress=True)
    assert "100" in (shown := capfd.readouterr().err) or "0:00:00" in shown
    shutil.rmtree(home)
    fetch_emodb(data_home=home, url=mini_release.url, progress=False)
    assert "0:00:00" not in capfd.readouterr().err


# --- the connection breaks -------------------------------------------------------------------


def test_a_cut_connection_goes_on_where_it_stopped(mini_release, home):
    mini_release.cuts = [2 * CHUNK, 3 * CHUNK]
    fetch_emodb(data_home=home, url=mini_release.url)
    assert mini_release.ranges == [None, f"bytes={2 * CHUNK}-", f"bytes={5 * CHUNK}-"]
    assert sum(mini_release.n_sent) == len(mini_release.content)


def test_the_next_call_asks_for_the_rest_only(mini_release, home):
    mini_release.cuts = [CHUNK, 0]
    with pytest.raises(CorpusError, match=r"could not be downloaded .* is kept: .*part"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert not (home / "emodb").exists()
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5
    assert mini_release.ranges == [None, f"bytes={CHUNK}-", f"bytes={CHUNK}-"]
    assert mini_release.n_sent == [CHUNK, 0, len(mini_release.content) - CHUNK]


def test_a_connection_that_is_cut_again_and_again_ends(mini_release, home):
    mini_release.cuts = [CHUNK] * 10
    with pytest.raises(CorpusError, match="could not be downloaded"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert mini_release.n_sent == [CHUNK] * 5


def test_a_server_without_ranges_starts_anew(mini_release, home):
    mini_release.knows_ranges = False
    mini_release.cuts = [CHUNK]
    fetch_emodb(data_home=home, url=mini_release.url)
    assert mini_release.ranges == [None, f"bytes={CHUNK}-"]
    assert mini_release.n_sent == [CHUNK, len(mini_release.content)]


def test_a_server_that_does_not_tell_the_length(mini_release, home):
    mini_release.sends_length = False
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5


def test_all_bytes_were_there_before(mini_release, home):
    mini_release.cuts = [CHUNK, 0]
    with pytest.raises(CorpusError, match="could not be downloaded"):
        fetch_emodb(data_home=home, url=mini_release.url)
    (part,) = home.glob("*.part")
    part.write_bytes(mini_release.content)
    fetch_emodb(data_home=home, url=mini_release.url)
    assert mini_release.n_sent[-1] == 0


def test_what_is_kept_is_longer_than_the_file(mini_release, home):
    mini_release.cuts = [CHUNK, 0]
    with pytest.raises(CorpusError, match="could not be downloaded"):
        fetch_emodb(data_home=home, url=mini_release.url)
    (part,) = home.glob("*.part")
    part.write_bytes(mini_release.content + b"more")
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5
    assert mini_release.ranges[-1] is None


def test_a_server_that_sends_another_range_is_asked_for_all(mini_release, home):
    mini_release.cuts = [CHUNK]
    mini_release.range_shift = 1
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5
    assert mini_release.ranges == [None, f"bytes={CHUNK}-", None]


def test_another_address_does_not_go_on_with_what_is_kept(mini_release, home):
    mini_release.cuts = [CHUNK, 0]
    with pytest.raises(CorpusError, match="could not be downloaded"):
        fetch_emodb(data_home=home, url=mini_release.url)
    fetch_emodb(data_home=home, url=mini_release.url + "?mirror")
    assert mini_release.ranges[-1] is None
    assert not list(home.glob("*.part"))


@pytest.mark.parametrize("status", [404, 503])
def test_server_refuses(mini_release, home, status):
    mini_release.status = status
    with pytest.raises(CorpusError, match=rf"the server answered {status} .* pass the 'url'"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert names_in(home) == []


def test_server_is_away(mini_release, home):
    mini_release.close()
    with pytest.raises(CorpusError, match=r"\(ConnectionError, .* download the archive by hand"):
        fetch_emodb(data_home=home, url=mini_release.url)


def test_address_is_none(home):
    with pytest.raises(CorpusError, match="'url' of a copy"):
        fetch_emodb(data_home=home, url="no address")


# --- the archive is bad ----------------------------------------------------------------------


def assert_next_call_starts_anew(server, home, content):
    assert names_in(home) == []
    server.content = content
    assert len(fetch_emodb(data_home=home, url=server.url).data) == 5
    assert server.ranges == [None, None]


@pytest.mark.parametrize("how", ["page", "cut", "flipped", "empty"])
def test_a_corrupted_archive_is_deleted(mini_release, home, how):
    good = mini_release.content
    flipped = bytearray(good)
    flipped[200] ^= 0xFF
    bad = {
        "page": b"<html>Moved.</html>",
        "cut": good[: len(good) // 2],
        "flipped": bytes(flipped),
        "empty": pack({}),
    }
    mini_release.content = bad[how]
    with pytest.raises(CorpusError, match=r"(cannot be unpacked|Got none of them).* was deleted"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert_next_call_starts_anew(mini_release, home, good)


def test_an_altered_recording_is_found(mini_release, recordings, home):
    good = mini_release.content
    altered = recordings["wav/03a01Wa.wav"][:-1] + b"\x07"
    mini_release.content = pack(recordings | {"wav/03a01Wa.wav": altered})
    with pytest.raises(CorpusError, match=r"Got 1 altered: 03a01Wa\.wav\. The archive was deleted"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert_next_call_starts_anew(mini_release, home, good)


def test_a_missing_recording_is_found(mini_release, recordings, home):
    good = mini_release.content
    del recordings["wav/03a01Wa.wav"]
    mini_release.content = pack(recordings)
    with pytest.raises(CorpusError, match=r"Got 1 missing: 03a01Wa\.wav"):
        fetch_emodb(data_home=home, url=mini_release.url)
    assert_next_call_starts_anew(mini_release, home, good)


def test_without_verify_a_part_of_the_corpus_will_do(mini_release, recordings, home):
    del recordings["wav/03a01Wa.wav"]
    mini_release.content = pack(recordings)
    with pytest.warns(IncompleteCorpusWarning, match=r"1 of the 5 official recordings"):
        bunch = fetch_emodb(data_home=home, url=mini_release.url, verify=False)
    assert len(bunch.data) == 4


def test_a_copy_damaged_later_is_found(mini_release, home):
    bunch = fetch_emodb(data_home=home, url=mini_release.url)
    Path(bunch.data[0]).unlink()
    with pytest.raises(CorpusError, match=r"1 missing: 03a01Fa\.wav\. Delete the folder .*emodb"):
        fetch_emodb(data_home=home, url=mini_release.url)


def test_a_faster_process_is_no_error(mini_release, home, monkeypatch):
    """Another process fills the folder while this one checks what it has unpacked."""
    check = _emodb._check_unpacked

    def slow(wav, **kwargs):
        check(wav, **kwargs)
        shutil.copytree(wav, home / "emodb" / "wav")

    monkeypatch.setattr(_emodb, "_check_unpacked", slow)
    assert len(fetch_emodb(data_home=home, url=mini_release.url).data) == 5


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="The 'url' parameter of fetch_emodb must be"):
        fetch_emodb(url=None)
