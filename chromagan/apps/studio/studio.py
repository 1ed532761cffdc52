"""What the server holds: one colorizer, the desks, and the sessions of the photos that were touched last.

No path ever comes from a browser: a photo is known by a key, and where it is read and written was decided here. A
session that is let go is opened anew when its photo is wanted.
"""

from __future__ import annotations

import functools
import glob
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakSet

from chromagan.apps.studio.desk import Desk, Limits, Picture, UnknownDesk, UnknownPhoto
from chromagan.apps.web.uploads import check_upload, unplaced, upload_job
from chromagan.errors import ChromaganError, UsageError
from chromagan.files.suffixes import is_photo_name
from chromagan.images.read import check_grays, read_photo
from chromagan.inference.batch_plan import Job, plan_jobs
from chromagan.inference.colorizer import Colorizer, Session
from chromagan.inference.sinks import Files

_PIXELS_KEPT = 26_000_000  # of photos whose sessions are held, the one at hand not counted


class Studio:
    """All that the server holds.

    Args:
        make_colorizer: builds the colorizer, when it is first needed.
        inputs: files, folders and patterns whose photos every desk shows.
        out: the folder for what is coloured of them.
        overwrite: write over files that are not this program's.
        limits: of what visitors bring.

    Raises:
        UsageError: the output is a file.
    """

    def __init__(
        self,
        make_colorizer: Callable[[], Colorizer],
        inputs: Sequence[str] = (),
        out: str | os.PathLike[str] = "colorized",
        overwrite: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._make, self.overwrite, self.limits, self.files = make_colorizer, overwrite, limits or Limits(), Files()
        self.painting = threading.RLock()  # one at a time: each stroke has all of the processors
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._closed, self._threads = False, list[threading.Thread]()
        self._ahead: WeakSet[Session] = WeakSet()  # that have been looked ahead for
        self._desks: dict[str, Desk] = {}
        self._home = tempfile.TemporaryDirectory(prefix="chromagan-studio-")
        plan = plan_jobs(inputs, out, overwrite=True) if inputs else None
        self.refused = plan.refused if plan else []
        jobs = plan.jobs if plan else []
        self._roots = [os.path.realpath(out), *map(_root, inputs)]
        self.given = {key: Picture(key, job) for key, job in ((secrets.token_urlsafe(9), job) for job in jobs)}

    @functools.cached_property
    def colorizer(self) -> Colorizer:
        """The one colorizer; made by whoever asks first, while the others wait."""
        with self._loading:
            if "colorizer" not in self.__dict__:
                self.__dict__["colorizer"] = self._make()
            return self.__dict__["colorizer"]

    # Desks

    def enter(self) -> Desk:
        """A new desk, by a name that nobody can guess; desks that were left are cleared."""
        self.clear_left()
        with self._lock:
            if len(self._desks) >= self.limits.desks:
                raise UsageError("the studio is full; try again later")
            key = secrets.token_urlsafe(18)
            desk = Desk(key, Path(tempfile.mkdtemp(dir=self._home.name)), dict(self.given))
            self._desks[key] = desk
            return desk

    def desk(self, key: str) -> Desk:
        """The desk of that name; `UnknownDesk` where there is none."""
        desk = self._desks.get(key)
        if desk is None:
            raise UnknownDesk("this tab was away for long and its photos are cleared; load the page again")
        desk.seen = time.monotonic()
        return desk

    def leave(self, desk: Desk) -> None:
        """Clear a desk: its batch ends, its uploads are deleted."""
        if desk.batch:
            desk.batch.stop()
            desk.batch.wait()
        with self._lock:
            self._desks.pop(desk.key, None)
            for key in [key for key in self._sessions if key[0] == desk.key]:
                del self._sessions[key]
        shutil.rmtree(desk.folder, ignore_errors=True)

    def clear_left(self) -> None:
        """Clear the desks that gave no sign for long."""
        latest = time.monotonic() - self.limits.idle_seconds
        for desk in list(self._desks.values()):
            if desk.seen < latest and not (desk.batch and desk.batch.running):
                self.leave(desk)

    def close(self) -> None:
        """Clear all desks, and end what goes on in the background."""
        self._closed = True
        for thread in self._threads:
            thread.join()
        for desk in list(self._desks.values()):
            self.leave(desk)
        self._home.cleanup()

    # Photos

    def place(self, desk: Desk, name: str) -> Path:
        """Where an upload may be written; `UsageError` where this desk takes no more, or no file of such a name."""
        if sum(one.uploaded for one in desk.pictures.values()) >= self.limits.photos:
            raise UsageError(f"{self.limits.photos} photos are open in this tab; close some first")
        plain = Path(name.replace("\\", "/")).name
        if not is_photo_name(plain) or not plain.isprintable() or len(plain.encode()) > 200:
            raise UsageError(f"{plain[:60]!r} is no photo by the ending of its name")
        return Path(tempfile.mkdtemp(dir=desk.folder)) / plain

    def take(self, desk: Desk, path: Path, reference: bool = False) -> Picture:
        """Show an upload that has been written; one that is of no use is deleted."""
        try:
            check_upload(path, self.limits.pixels)
            job = Job(path, path, name=Path(path.name)) if reference else upload_job(path)
        except ChromaganError as error:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise type(error)(unplaced(error, path.parent)) from error
        picture = Picture(secrets.token_urlsafe(9), job, uploaded=True, reference=reference)
        desk.pictures[picture.key] = picture
        return picture

    def drop(self, desk: Desk, picture: Picture) -> None:
        """Take a photo off a desk; an upload is deleted."""
        desk.pictures.pop(picture.key, None)
        self._sessions.pop((desk.key, picture.key), None)
        if picture.uploaded:
            shutil.rmtree(picture.job.source.parent, ignore_errors=True)

    def session(self, desk: Desk, picture: Picture) -> Session:
        """The photo, read and prepared; of those not touched last nothing is kept. The caller holds `painting`."""
        key = (desk.key, picture.key)
        session = self._sessions.get(key)
        if session is None:
            self.check_inside(desk, picture.job.source)
            photo = read_photo(picture.job.source, self.limits.pixels)
            check_grays(photo)
            session = self.colorizer.open(photo)
        with self._lock:
            self._sessions[key] = session
            self._sessions.move_to_end(key)
            self._let_go()
        return session

    def look_ahead(self, desk: Desk, picture: Picture) -> None:
        """Work out in the background what the first stroke on a photo would wait for; returns at once."""
        session = self._sessions.get((desk.key, picture.key))
        if session is not None and session not in self._ahead:
            self._ahead.add(session)
            thread = threading.Thread(target=self._work_ahead, args=(session,), name="ahead", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()

    def _work_ahead(self, session: Session) -> None:
        with self.painting:
            if not self._closed:
                session.ready()

    def _let_go(self) -> None:
        """Of the sessions touched before, keep the latest that fit."""
        held = 0
        for key in list(reversed(self._sessions))[1:]:
            height, width = self._sessions[key].photo.pixels.shape[:2]
            held += height * width
            if held > _PIXELS_KEPT:
                del self._sessions[key]

    def check_inside(self, desk: Desk, path: Path) -> None:
        """Refuse a file that, links followed, lies outside the given folders and the desk's own."""
        real = os.path.realpath(path)
        roots = [*self._roots, os.path.realpath(desk.folder)]
        if not any(real == root or real.startswith(os.path.join(root, "")) for root in roots):
            raise UnknownPhoto(f"{path.name} leads out of the folders that the studio was given")


def _root(text: str) -> str:
    """The file or folder that an input names; of a pattern, the folder in which it is looked for."""
    path = Path(text)
    while not os.path.lexists(path) and glob.has_magic(str(path)):
        path = path.parent
    return os.path.realpath(path)
