"""Downloads come whole or not at all, from servers that break off, lie, or are asked twice."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

import polykeras as keras
from polykeras.datasets import downloads
from polykeras.utils import get_file

DATA = bytes(range(256)) * 1200
SHA256, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA; the path says how badly."""

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if self.path.startswith("/missing"):
            return self.send_error(404)
        if self.path.startswith("/busy") and len(server.requests) < 3:
            return self.send_error(503)
        if self.path.startswith("/big"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            return self.wfile.write(DATA)
        start = 0
        wanted = self.headers.get("Range")
        if wanted and "range" in self.path and self.headers.get("If-Range") == server.tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        else:
            self.send_response(200)
        if "range" in self.path:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        breaks = "break" in self.path and len(server.requests) <= server.breaks
        self.wfile.write(DATA[start : start + 100_000] if breaks else DATA[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.breaks, server.tag = [], 2, '"v1"'
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def visible(folder):
    return sorted(p.name for p in Path(folder).rglob("*") if p.is_file() and not p.name.endswith(".lock"))


def test_a_file_is_downloaded_once(server, tmp_path):
    for _ in range(2):
        path = get_file(origin=f"{server.url}/big.bin?x=1", cache_dir=tmp_path, file_hash=SHA256)
        assert path == str(tmp_path / "datasets" / "big.bin") and Path(path).read_bytes() == DATA
    assert len(server.requests) == 1
    get_file(origin=f"{server.url}/big.bin", cache_dir=tmp_path, force_download=True)
    assert len(server.requests) == 2
    assert visible(tmp_path) == ["big.bin"]


def test_the_folder_is_that_of_keras_home(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = get_file("a", f"{server.url}/big", cache_subdir="x/y")
    assert path == str(tmp_path / "home" / "x" / "y" / "a")
    assert get_file("a", f"{server.url}/big", cache_subdir=tmp_path / "z") == str(tmp_path / "z" / "a")


@pytest.mark.parametrize("breaks", [1, 2, 4])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, breaks):
    server.breaks = breaks
    path = get_file(origin=f"{server.url}/break-range", cache_dir=tmp_path, file_hash=SHA256)
    assert Path(path).read_bytes() == DATA
    starts = [request.get("Range") for request in server.requests]
    assert starts == [None, *(f"bytes={n * 100_000}-" for n in range(1, breaks + 1))][: len(starts)]
    assert visible(tmp_path) == ["break-range"]


def test_a_broken_download_begins_anew_where_the_server_knows_no_ranges(server, tmp_path):
    path = get_file(origin=f"{server.url}/break", cache_dir=tmp_path)
    assert Path(path).read_bytes() == DATA
    assert len(server.requests) == 3 and all("Range" not in request for request in server.requests)


def test_an_interrupted_process_leaves_no_file_of_that_name_and_the_next_goes_on(server, tmp_path):
    server.breaks = 99
    with pytest.raises(OSError, match="break-range"):
        _give_up(server, tmp_path)
    assert not (tmp_path / "datasets" / "break-range").exists()
    server.breaks, server.requests[:] = 0, []
    path = get_file(origin=f"{server.url}/break-range", cache_dir=tmp_path)
    assert Path(path).read_bytes() == DATA and "Range" in server.requests[0]


def _give_up(server, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "_TRIES", 1)
        get_file(origin=f"{server.url}/break-range", cache_dir=folder)


def test_the_rest_of_another_version_is_not_put_to_an_old_beginning(server, tmp_path):
    server.breaks = 1
    with pytest.raises(OSError):
        _give_up(server, tmp_path)
    server.tag = '"v2"'
    path = get_file(origin=f"{server.url}/break-range", cache_dir=tmp_path)
    assert Path(path).read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    for arguments in ({"file_hash": "0" * 64}, {"md5_hash": "0" * 32}, {"file_hash": MD5, "hash_algorithm": "sha256"}):
        with pytest.raises(ValueError, match="hash"):
            get_file(origin=f"{server.url}/big", cache_dir=tmp_path, **arguments)
        assert visible(tmp_path) == []
    for arguments in ({"file_hash": SHA256.upper()}, {"md5_hash": MD5}, {"file_hash": MD5, "hash_algorithm": "md5"}):
        get_file(origin=f"{server.url}/big", cache_dir=tmp_path, **arguments)
    assert len(server.requests) == 4


def test_a_changed_file_is_downloaded_anew(server, tmp_path):
    path = Path(get_file(origin=f"{server.url}/big", cache_dir=tmp_path))
    path.write_bytes(b"changed")
    get_file(origin=f"{server.url}/big", cache_dir=tmp_path, file_hash=SHA256)
    assert path.read_bytes() == DATA


def test_errors_of_the_server_are_told(server, tmp_path):
    with pytest.raises(OSError, match="404"):
        get_file(origin=f"{server.url}/missing", cache_dir=tmp_path)
    assert len(server.requests) == 1
    server.requests[:] = []
    assert Path(get_file(origin=f"{server.url}/busy", cache_dir=tmp_path)).read_bytes() == DATA
    with pytest.raises(OSError, match="nowhere"):
        get_file(origin=(tmp_path / "nowhere").as_uri(), cache_dir=tmp_path)


@pytest.mark.parametrize("fname", ["../a", "a/b", "/a", "a\\b", "..", "", "C:a"])
def test_names_are_no_paths(tmp_path, fname):
    with pytest.raises(ValueError, match="plain name"):
        get_file(fname, "http://127.0.0.1:9/x", cache_dir=tmp_path)


@pytest.mark.parametrize("origin", [None, "data.txt", "gopher://a/b", "javascript:1", "http://127.0.0.1:9/"])
def test_addresses_are_checked(tmp_path, origin):
    with pytest.raises(ValueError, match="origin"):
        get_file(origin=origin, cache_dir=tmp_path)


def make_archive(path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("top/a.txt", "a")
            archive.writestr("b.txt", "b")
    else:
        with tarfile.open(path, {".tar": "w", ".gz": "w:gz", ".bz2": "w:bz2"}[path.suffix]) as archive:
            for name in ("top/a.txt", "b.txt"):
                member = tarfile.TarInfo(name)
                member.size = 1
                archive.addfile(member, io.BytesIO(Path(name).stem.encode()))
    return path.as_uri()


@pytest.mark.parametrize("name", ["d.tar", "d.tar.gz", "d.tar.bz2", "d.zip"])
def test_archives_are_unpacked(tmp_path, name):
    origin = make_archive(tmp_path / name)
    folders = {
        name: get_file(origin=origin, extract=True, cache_dir=tmp_path),
        "out": get_file("out", origin, untar=True, cache_dir=tmp_path),
        "in_extracted": get_file("in.tgz", origin, extract=True, archive_format=["tar", "zip"], cache_dir=tmp_path),
    }
    for expected, folder in folders.items():
        assert folder == str(tmp_path / "datasets" / expected)
        assert (Path(folder) / "top" / "a.txt").read_text() == "a" and (Path(folder) / "b.txt").read_text() == "b"


def test_a_new_archive_replaces_the_old_folder(tmp_path):
    origin = make_archive(tmp_path / "d.zip")
    folder = Path(get_file("d", origin, extract=True, cache_dir=tmp_path))
    (folder / "b.txt").write_text("mine")
    get_file("d", origin, extract=True, cache_dir=tmp_path)
    assert (folder / "b.txt").read_text() == "mine"
    get_file("d", origin, extract=True, cache_dir=tmp_path, force_download=True)
    assert (folder / "b.txt").read_text() == "b"


def test_what_is_no_archive_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="archive of format"):
        get_file(origin=(tmp_path / "a.txt").as_uri(), extract=True, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="archive_format"):
        get_file(origin=(tmp_path / "a.txt").as_uri(), extract=True, archive_format="rar", cache_dir=tmp_path)
    path = get_file(origin=(tmp_path / "a.txt").as_uri(), extract=True, archive_format=None, cache_dir=tmp_path)
    assert Path(path).read_text() == "x"


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_bombs_are_refused(tmp_path, kind, monkeypatch):
    path, zeros = tmp_path / "bomb", bytes(1 << 24)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", zeros)
    else:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("a")
            member.size = len(zeros)
            archive.addfile(member, io.BytesIO(zeros))
    with pytest.raises(ValueError, match="limits"):
        get_file(origin=path.as_uri(), extract=True, cache_dir=tmp_path)
    assert not list((tmp_path / "datasets").glob("*bomb*/*"))
    monkeypatch.setattr(keras.saving.limits, "ratio", 1e6)
    folder = get_file(origin=path.as_uri(), extract=True, cache_dir=tmp_path)
    assert (Path(folder) / "a").stat().st_size == len(zeros)


def test_a_damaged_archive_leaves_no_folder(tmp_path):
    make_archive(tmp_path / "d.tar.gz")
    (tmp_path / "d.tar.gz").write_bytes((tmp_path / "d.tar.gz").read_bytes()[:-30])
    with pytest.raises(ValueError, match="Expected"):
        get_file(origin=(tmp_path / "d.tar.gz").as_uri(), extract=True, cache_dir=tmp_path)
    assert not [p for p in (tmp_path / "datasets").iterdir() if p.is_dir()]


def test_two_processes_download_once(server, tmp_path):
    code = (
        "import sys; from polykeras.utils import get_file; print(get_file(origin=sys.argv[1], cache_dir=sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(keras.__file__).parent.parent), "KERAS_BACKEND": "numpy"}
    command = [sys.executable, "-c", code, f"{server.url}/big", str(tmp_path)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(server.requests) == 1
    assert (tmp_path / "datasets" / "big").read_bytes() == DATA
