"""A file that one process holds at a time; Windows' calls are those of a stand-in."""

import errno
import os
import subprocess
import sys
import types

import pytest

from chromagan.files import lock
from chromagan.files.lock import FileLock, Held

HOLDER = """
import sys
from pathlib import Path
from chromagan.files.lock import FileLock, Held
try:
    held = FileLock(Path(sys.argv[1]))
except Held:
    sys.exit(3)
print("there", flush=True)
sys.stdin.read()
"""


def another(path):
    """A process that holds the file until it is told to end; None where it was kept out."""
    words = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process if process.stdout.readline() == "there\n" else process.wait()


@pytest.mark.process
def test_one_process_at_a_time(tmp_path):
    path = tmp_path / "lock"
    path.write_text("whatever")
    own = FileLock(path)
    assert another(path) == 3
    own.release()
    process = another(path)
    try:
        with pytest.raises(Held, match="lock"):
            FileLock(path)
    finally:
        process.kill()
        process.wait()
    FileLock(path).release()
    assert path.read_text() == "whatever"


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "gone" / "lock")


class Windows:
    """`msvcrt` as its documentation has it: a byte from where the file stands, refused with EACCES while it is held."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self, refusal=errno.EACCES):
        self.held, self.refusal = set(), refusal

    def locking(self, handle, mode, count):
        one = os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR), count
        if mode == self.LK_UNLCK:
            if one not in self.held:
                raise OSError(errno.EACCES, "not locked")
            self.held.remove(one)
        elif one in self.held or self.refusal != errno.EACCES:
            raise OSError(self.refusal, "refused")
        else:
            self.held.add(one)


@pytest.fixture
def windows(monkeypatch):
    def install(**given):
        stand_in = Windows(**given)
        monkeypatch.setattr(lock, "sys", types.SimpleNamespace(platform="win32"))
        monkeypatch.setitem(sys.modules, "msvcrt", stand_in)
        return stand_in

    return install


def test_windows_locks_a_byte_and_lets_it_go(tmp_path, windows):
    system = windows()
    own = FileLock(tmp_path / "lock")
    assert len(system.held) == 1
    with pytest.raises(Held):
        FileLock(tmp_path / "lock")
    own.release()
    assert not system.held
    FileLock(tmp_path / "lock").release()


def test_a_disk_without_locks_keeps_nobody_out(tmp_path, windows):
    windows(refusal=errno.ENOLCK)
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.release()
    second.release()
