"""A batch always ends: photos fail at every stage and in every way, threads die, stages hang until Ctrl-C."""

import _thread
import random
import threading
from collections import Counter

import cv2
import numpy as np
import pytest
import torch

from chromagan.errors import ChromaganError
from chromagan.files.atomic import write_atomically
from chromagan.images import decode
from chromagan.images.read import read_photo
from chromagan.inference import batch, crew, sinks, stages
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look

STAGES = ("header", "decode", "prepare", "network", "enlarge", "finish", "write")
THREADS = ("reader", "preparer", "painter", "writer")


class Unforeseen(BaseException):
    """Nothing that `except Exception` catches."""


ERRORS = (
    ValueError("one\ntwo"), OSError(5, "Input/output error"), MemoryError(), RecursionError("too deep"),
    AttributeError("no such thing"), SystemExit(3), GeneratorExit(), Unforeseen("out of the blue"),
    ChromaganError("known"), StopIteration(), cv2.error("assertion failed"),
)  # fmt: skip


class Painter(ColorizationNetwork):
    stride = ab_stride = 4
    config = {}

    def predict(self, L, hints):
        return Prediction(torch.full((len(L), 2, L.shape[2] // 4, L.shape[3] // 4), 25.0))


def make_photos(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(count):
        cv2.imwrite(str(folder / f"p{index:03}.png"), rng.integers(0, 256, (8, 9), dtype=np.uint8))
    return folder


class Faults:
    """Which photos fail where, and what became of all.

    Attributes:
        errors: by (stage, name of the photo): what is raised; "block" asks for Ctrl-C and waits for `release`.
        deaths: by the name of a thread: the turn at which its queue fails, outside of any photo.
        written: how often each output was written.
        told: what was reported of each photo.
        late: how many threads had not ended a second after the batch did; what they wrote last may not be counted.
    """

    def __init__(self, errors=None, deaths=None):
        self.errors, self.deaths = errors or {}, deaths or {}
        self.release, self.written, self.told, self.late = threading.Event(), Counter(), {}, 0

    def at(self, stage, name):
        fault = self.errors.get((stage, name))
        if fault == "block":
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt  # what Ctrl-C makes of a report that hangs
            _thread.interrupt_main()
            self.release.wait(60)
        elif fault is not None:
            raise fault

    def report(self, job, error):
        assert job.source.name not in self.told
        self.told[job.source.name] = error
        self.at("report", job.source.name)

    def make_colorizer(self):
        return Colorizer(Painter(), look=Look(size=16), device="cpu", sha256="5" * 64, model="painter")

    def install(self, monkeypatch):  # noqa: C901
        header, pages, write, put = batch.read_header, batch.read_pages, sinks.write_photo, crew.Belt.put
        prepare, predict, enlarge, join = stages.prepare, stages.predict, stages.enlarge, stages.join
        turns, names = Counter(), {}  # names: by the identity of pixels and of L, which are kept beside them

        def header_or_fail(file, name):
            self.at("header", name.rsplit("/", 1)[-1])
            return header(file, name)

        def pages_or_fail(path, *arguments, **options):
            self.at("decode", path.name)
            read = pages(path, *arguments, **options)
            names.update({id(page.pixels): (path.name, page.pixels) for page in read})
            return read

        def prepare_or_fail(pixels, *arguments):
            self.at("prepare", names[id(pixels)][0])
            done = prepare(pixels, *arguments)
            names[id(done.L)] = names[id(pixels)][0], done.L
            return done

        def predict_or_fail(network, lightness, *arguments):
            for L in lightness:
                self.at("network", names[id(L)][0])
            return predict(network, lightness, *arguments)

        def enlarge_or_fail(ab, prepared, step):
            self.at("enlarge", names[id(prepared.L)][0])
            return enlarge(ab, prepared, step)

        def join_or_fail(pixels, *arguments):
            self.at("finish", names[id(pixels)][0])
            return join(pixels, *arguments)

        def write_or_fail(photo, path, *arguments, **options):
            if ("write", path.name) in self.errors:  # in the middle of the file
                write_atomically(path, lambda file: (file.write(b"half"), self.at("write", path.name)))
            write(photo, path, *arguments, **options)
            self.written[path.name] += 1

        def put_or_die(belt, items):
            thread = threading.current_thread().name
            turns[thread] += 1
            if turns[thread] == self.deaths.get(thread):
                raise Unforeseen(f"the queue of a {thread}")
            put(belt, items)

        for module in (batch, decode):
            monkeypatch.setattr(module, "read_header", header_or_fail)
        monkeypatch.setattr(stages, "prepare", prepare_or_fail)
        monkeypatch.setattr(stages, "predict", predict_or_fail)
        monkeypatch.setattr(stages, "enlarge", enlarge_or_fail)
        monkeypatch.setattr(stages, "join", join_or_fail)
        monkeypatch.setattr(batch, "read_pages", pages_or_fail)
        monkeypatch.setattr(sinks, "write_photo", write_or_fail)
        monkeypatch.setattr(batch, "count_processors", lambda: 8)
        monkeypatch.setattr(crew.Belt, "put", put_or_die)


def outputs(out):
    return {path.name for path in out.iterdir()} if out.exists() else set()


def run(photos, out, faults):
    """The batch's outcome, or the error that ended it; what must hold in any case is checked here."""
    plan, before = plan_jobs([str(photos)], out), len(crew.abandoned)
    try:
        result = colorize_files(plan.jobs, faults.make_colorizer, faults.report)
    except ChromaganError as error:
        result = error
    names = outputs(out)
    stuck = [thread for thread in crew.abandoned[before:] if thread.is_alive()]
    faults.late = len(stuck)
    faults.release.set()
    for thread in stuck:
        thread.join(60)
    assert not [thread for thread in threading.enumerate() if thread.name in (*THREADS, "loader")]
    assert outputs(out) == names  # what hung has not written afterwards
    assert set(faults.written) == names
    assert set(faults.written.values()) <= {1}
    for name in names:
        assert read_photo(out / name).pixels.shape == (8, 9, 3)
    for name, error in faults.told.items():
        assert (error is None) == (name in names)
        assert error is None or (isinstance(error, ChromaganError) and name in str(error) and "\n" not in str(error))
    return result


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_becomes_the_line_of_its_photo(tmp_path, monkeypatch, stage, error):
    photos, faults = make_photos(tmp_path / "in", 9), Faults({(stage, "p004.png"): error})
    faults.install(monkeypatch)
    outcome = run(photos, tmp_path / "out", faults)
    assert (outcome.done, outcome.failed, outcome.interrupted, outcome.unreported) == (8, 1, False, None)
    assert len(faults.told) == 9
    assert faults.told["p004.png"] is not None


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_report_that_fails_loses_its_words_alone(tmp_path, monkeypatch, error):
    photos, faults = make_photos(tmp_path / "in", 9), Faults({("report", "p004.png"): error})
    faults.install(monkeypatch)
    outcome = run(photos, tmp_path / "out", faults)
    assert (outcome.done, outcome.failed, len(faults.told)) == (9, 0, 9)
    assert "p004.png" in str(outcome.unreported)


@pytest.mark.parametrize("turn", [1, 3])
@pytest.mark.parametrize("thread", THREADS)
def test_a_thread_that_dies_ends_the_batch_with_its_cause(tmp_path, monkeypatch, thread, turn):
    photos, faults = make_photos(tmp_path / "in", 20), Faults(deaths={thread: turn})
    faults.install(monkeypatch)
    error = run(photos, tmp_path / "out", faults)
    assert isinstance(error, ChromaganError)
    assert f"unexpected Unforeseen: the queue of a {thread}" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("place", ["end", "get"])
def test_queues_that_fail_end_the_batch(tmp_path, monkeypatch, place):
    def fail(*_):
        if threading.current_thread() is not threading.main_thread():
            raise Unforeseen(place)

    photos, faults = make_photos(tmp_path / "in", 9), Faults()
    faults.install(monkeypatch)
    whole = getattr(crew.Belt, place)
    monkeypatch.setattr(crew.Belt, place, lambda *a: fail() or whole(*a))
    assert f"unexpected Unforeseen: {place}" in str(run(photos, tmp_path / "out", faults))


def test_a_loader_that_fails_ends_the_batch(tmp_path, monkeypatch):
    photos, faults = make_photos(tmp_path / "in", 9), Faults()
    faults.install(monkeypatch)
    faults.make_colorizer = lambda: {}["model"]
    assert "unexpected KeyError: 'model'" in str(run(photos, tmp_path / "out", faults))


def test_no_threads_to_be_had(tmp_path, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    photos, faults = make_photos(tmp_path / "in", 9), Faults()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert "can't start new thread" in str(run(photos, tmp_path / "out", faults))


@pytest.mark.parametrize("stage", [*STAGES, "report"])
def test_interrupting_a_stage_that_hangs(tmp_path, monkeypatch, stage):
    photos, faults = make_photos(tmp_path / "in", 20), Faults({(stage, "p004.png"): "block"})
    faults.install(monkeypatch)
    outcome = run(photos, tmp_path / "out", faults)
    assert outcome.interrupted
    assert 0 <= len(faults.written) - outcome.done <= faults.late
    assert stage == "report" or "p004.png" not in faults.written


def test_no_photos_are_a_batch(tmp_path):
    outcome = colorize_files([], Faults().make_colorizer, lambda job, error: None)
    assert (outcome.done, outcome.failed) == (0, 0)


def stress(photos, out, monkeypatch, seed):
    """Every tenth photo raises at some stage; in most batches a thread dies or a stage hangs besides."""
    choose = random.Random(seed)
    names = sorted(path.name for path in photos.iterdir())
    faulty = choose.sample(names, len(names) // 10)
    faults = Faults({(choose.choice(STAGES), name): choose.choice(ERRORS) for name in faulty})
    faults.errors["report", choose.choice(names)] = choose.choice(ERRORS)
    ending = choose.choice(["nothing", "death", "hang"])
    if ending == "death":
        faults.deaths[choose.choice(THREADS)] = choose.randrange(1, len(names) // 2)
    if ending == "hang":
        faults.errors[choose.choice([*STAGES, "report"]), choose.choice(sorted({*names} - {*faulty}))] = "block"
    with monkeypatch.context() as patches:
        faults.install(patches)
        result = run(photos, out, faults)
    assert not {*faulty} & {*faults.written}
    if ending == "nothing":
        assert (result.done, result.failed) == (len(names) - len(faulty), len(faulty))
        assert set(faults.told) == {*names}
    elif ending == "death":
        assert "the queue of a" in str(result)
    else:
        assert result.interrupted
        assert 0 <= len(faults.written) - result.done <= faults.late
    return ending


@pytest.mark.parametrize("seed", range(6))
def test_faults_of_all_kinds_at_once(tmp_path, monkeypatch, seed):
    stress(make_photos(tmp_path / "in", 40), tmp_path / "out", monkeypatch, seed)
