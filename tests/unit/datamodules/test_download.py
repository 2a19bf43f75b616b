"""Downloads from a server on loopback that breaks off, forgets ranges, and lies."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datamodules.download import Source, fetch, unpack

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves ``data``; ``cuts`` are the bytes that each answer gives at most, the last one for all further answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.cuts, self.ranges, self.status, self.asked = DATA, [None], True, None, []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        start = 0
        asked = self.headers.get("Range")
        server.asked.append((self.path, asked))
        if server.status:
            self.send_error(server.status)
            return
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(server.data) - start))
        self.end_headers()
        cut = server.cuts[0] if len(server.cuts) == 1 else server.cuts.pop(0)
        self.wfile.write(server.data[start:][:cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    found = Server()
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def source(data: bytes = DATA, **changes) -> Source:
    return Source("pairs.txt", "17", hashlib.sha256(data).hexdigest(), len(data), **changes)


def got(server, folder, wanted=None, **options) -> bool:
    return fetch(wanted or source(), server.base, folder, wait=lambda seconds: None, **options)


def test_a_file_arrives_whole_with_progress_and_is_asked_for_once(server, tmp_path):
    seen = []
    assert got(server, tmp_path / "data", progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "data" / "pairs.txt").read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert server.asked == [("/files/17", None)]
    assert not got(server, tmp_path / "data")
    assert len(server.asked) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["pairs.txt"]


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(server, tmp_path):
    server.cuts = [100_000, 300_000, None]
    assert got(server, tmp_path)
    assert (tmp_path / "pairs.txt").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=400000-"]


def test_what_an_earlier_process_left_is_gone_on_from(server, tmp_path):
    (tmp_path / "pairs.txt.part").write_bytes(DATA[:5000])
    assert got(server, tmp_path)
    assert (tmp_path / "pairs.txt").read_bytes() == DATA
    assert server.asked == [("/files/17", "bytes=5000-")]


def test_a_server_without_ranges_gives_the_file_from_its_start(server, tmp_path):
    server.ranges = False
    (tmp_path / "pairs.txt.part").write_bytes(b"x" * 5000)
    assert got(server, tmp_path)
    assert (tmp_path / "pairs.txt").read_bytes() == DATA


def test_another_file_is_refused_and_removed(server, tmp_path):
    server.data = DATA[:-1] + b"x"
    with pytest.raises(ValueError, match=r"/files/17: gave a file with SHA-256 .*--base"):
        got(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_longer_file_is_not_read_to_its_end(server, tmp_path):
    server.data = DATA * 2
    with pytest.raises(ValueError, match="gives more than"):
        got(server, tmp_path)


@pytest.mark.parametrize(("status", "told", "asked"), [(404, "404", 1), (403, "403", 1), (503, "503", 5)])
def test_a_server_that_refuses_is_named_and_a_busy_one_asked_again(server, tmp_path, status, told, asked):
    server.status = status
    with pytest.raises(ValueError, match=f"{server.base}/17: .*{told}"):
        got(server, tmp_path)
    assert len(server.asked) == asked


def test_a_server_that_is_not_there_leaves_what_was_read(server, tmp_path):
    (tmp_path / "pairs.txt.part").write_bytes(DATA[:5000])
    with pytest.raises(ValueError, match=r"5,000 of 1,024,000 bytes are kept, and the same command goes on"):
        fetch(source(), "http://127.0.0.1:9/none", tmp_path, wait=lambda seconds: None)
    assert (tmp_path / "pairs.txt.part").stat().st_size == 5000


def archive(*members: tuple[str, bytes | None], kind: bytes = tarfile.REGTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type = kind if data is not None else tarfile.DIRTYPE
            info.size = len(data or b"") if info.type == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd"
            tar.addfile(info, io.BytesIO(data or b""))
    return made.getvalue()


def test_an_archive_becomes_a_folder(server, tmp_path):
    server.data = archive(
        ("lfw", None), ("lfw/Ann", None), ("lfw/Ann/Ann_0001.jpg", b"1"), ("lfw/Bob/Bob_0001.jpg", b"2"), ("x", b"3")
    )
    assert got(server, tmp_path, source(server.data, unpack="lfw"))
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"images/Ann/Ann_0001.jpg": b"1", "images/Bob/Bob_0001.jpg": b"2"}
    assert not got(server, tmp_path, source(server.data, unpack="lfw"))


@pytest.mark.parametrize("name", ["../out", "/out", "lfw/../../out"])
def test_a_member_outside_is_refused_and_nothing_is_left(tmp_path, name):
    (tmp_path / "a.tgz").write_bytes(archive(("lfw/ok", b"1"), (name, b"2")))
    with pytest.raises(ValueError, match="is no plain file inside"):
        unpack(tmp_path / "a.tgz", "lfw", tmp_path / "in" / "images")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "in").iterdir())


def test_a_link_is_refused(tmp_path):
    (tmp_path / "a.tgz").write_bytes(archive(("lfw/passwords", b""), kind=tarfile.SYMTYPE))
    with pytest.raises(ValueError, match="'lfw/passwords' is no plain file"):
        unpack(tmp_path / "a.tgz", "lfw", tmp_path / "images")


def test_a_cut_archive_is_named_and_nothing_is_left(tmp_path):
    whole = archive(*((f"lfw/{number}", bytes(1000)) for number in range(50)))
    (tmp_path / "a.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a\.tgz: "):
        unpack(tmp_path / "a.tgz", "lfw", tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_an_empty_folder_is_no_dataset(server, tmp_path):
    server.data = archive(("lfw", None), ("lfw/Ann/Ann_0001.jpg", b"1"))
    (tmp_path / "images").mkdir()
    assert got(server, tmp_path, source(server.data, unpack="lfw"))
    assert (tmp_path / "images" / "Ann" / "Ann_0001.jpg").read_bytes() == b"1"
