"""How fast networks are: latency, throughput, memory and share of the roofline, and whole photos from file to file.

Everything runs in rounds: each round visits every cell (a model at a size in a precision), the roofline's measurements
and the photos, every other round backwards, so that other work on the machine falls on all alike. A visit starts with
a run that is not timed. Ratios are the figures to compare; seconds are for orientation.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from chromagan.benchmark.child_process import measure_process
from chromagan.benchmark.contender import Contender, load_contender, load_contenders
from chromagan.benchmark.photos import make_photo
from chromagan.benchmark.report import CellFigures, PhotoFigures, SpeedReport
from chromagan.benchmark.roofline import RoofMeter, Work, seconds_of, settle, work_of
from chromagan.compute.device import choose_device, is_out_of_memory
from chromagan.compute.precision import has_fast_bfloat16
from chromagan.errors import DeviceError, UsageError
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import output_suffix, write_photo
from chromagan.inference.request import Request
from chromagan.models.contract import NOTHING, ColorizationNetwork, pad_to_stride
from chromagan.models.look import SIZES

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_ROUNDS = 5
_PHOTO_MEGAPIXELS = 2.0


@dataclass(frozen=True)
class Settings:
    """What to time."""

    models: Sequence[str] | None = None  # names or files; every registered network where None
    sizes: Sequence[int] = (128, 256, 512)  # sides of the square input, pixels
    precisions: Sequence[str] = ("float32", "bfloat16", "float16")  # those below float32 by autocast, as in sampling
    device: str = "auto"
    batch_size: int = 4  # of the throughput
    runs: int = 20  # timed forward passes of each cell, spread over at most five rounds
    threads: int | None = None  # of PyTorch on the CPU; as they are where None
    photo: Path | None = None  # for the time from file to file; a generated one of 2 megapixels where None
    memory: bool = True  # measure peak memory (on the CPU that is a fresh process a cell)
    plain: bool = False  # time each network as a plain module, too: see `CellFigures.plain_seconds`

    def __post_init__(self) -> None:
        if unknown := [name for name in self.precisions if name not in PRECISIONS]:
            raise UsageError(f"there is no precision {unknown[0]!r}; choose of {', '.join(PRECISIONS)}")
        if wrong := [size for size in self.sizes if not SIZES[0] <= size <= SIZES[1]]:
            raise UsageError(f"--sizes must lie between {SIZES[0]} and {SIZES[1]} pixels, not {wrong[0]}")
        if min(self.batch_size, self.runs, 1 if self.threads is None else self.threads) < 1:
            raise UsageError("--batch-size, --runs and --threads are at least 1")


def time_models(settings: Settings) -> SpeedReport:
    """Measure.

    `ModelError` or `WeightsError` where a model that was asked for cannot be had, `DeviceError` where the device is not
    there, or has none of the precisions.
    """
    device = choose_device(settings.device)
    threads = torch.get_num_threads()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        return _time_models(settings, device)
    finally:
        torch.set_num_threads(threads)


def precision_refusal(precision: str, device: torch.device) -> str | None:
    """Why a precision is not timed on a device; None where it is."""
    if device.type == "cpu" and precision == "bfloat16" and not has_fast_bfloat16(device):
        return "this processor has no bfloat16 arithmetic; emulated it is slower than float32"
    if device.type == "cpu" and precision == "float16" and not _cpu_multiplies_float16():
        return "this processor, or its PyTorch, has no float16 arithmetic"
    if device.type == "cuda" and precision == "bfloat16" and not has_fast_bfloat16(device):
        return "this GPU has no bfloat16 arithmetic (compute capability below 8.0)"
    if device.type == "cuda" and precision == "float16" and torch.cuda.get_device_capability(device) < (7, 0):
        return "this GPU has no fast float16 arithmetic (compute capability below 7.0)"
    if device.type == "mps" and precision == "bfloat16":
        return "not every Apple GPU has bfloat16, and PyTorch does not tell which"
    return None


def _cpu_multiplies_float16() -> bool:
    # a private query, absent from builds without oneDNN
    query = getattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", None)
    return query is not None and bool(query())


def _time_models(settings: Settings, device: torch.device) -> SpeedReport:
    # 1. What can be timed here.
    report = SpeedReport()
    refusals = {name: precision_refusal(name, device) for name in settings.precisions}
    report.skipped = {name: refusal for name, refusal in refusals.items() if refusal is not None}
    precisions = [name for name in refusals if name not in report.skipped]
    if not precisions:
        raise DeviceError(f"{device}: none of the precisions can be timed: {'; '.join(report.skipped.values())}")
    contenders = load_contenders(settings.models, settings.device, report.skipped)
    report.weights = {one.name: one.weights for one in contenders}
    report.parameters = {one.name: one.parameters for one in contenders}
    report.facts = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(), "batch_size": settings.batch_size, "runs": settings.runs,
    }  # fmt: skip
    # 2. Timers of the cells and of the photo, each run once; then all in rounds.
    sized = [(one, size) for one in contenders for size in dict.fromkeys(settings.sizes)]
    timers: list[_CellTimer] = []
    for contender, size in sized:
        work = None
        for name in precisions:
            with _as_far_as_memory_goes(report, f"{contender.name}, {size} px, {name}"):
                timer = _CellTimer(contender, size, name, settings.batch_size, settings.plain)
                work = work or work_of(contender.network, timer.one)
                timer.warm(work, settings.memory)
                timers.append(timer)
    meter = RoofMeter(device, [PRECISIONS[name] for name in precisions])
    photos: list[_PhotoTimer] = []
    with tempfile.TemporaryDirectory() as folder:
        photo = settings.photo
        if photo is None:
            photo = Path(folder) / "photo.jpg"
            make_photo(photo, _PHOTO_MEGAPIXELS)
        for contender, size in sized:
            with _as_far_as_memory_goes(report, f"{contender.name}, {size} px, photo"):
                photos.append(_PhotoTimer(contender, size, photo, Path(folder)))
        _run_rounds(timers, photos, meter, settings.runs)
    # 3. The figures.
    report.cells = [timer.figures for timer in timers]
    report.photos = [timer.figures for timer in photos]
    report.roofs = {name: meter.roof(PRECISIONS[name]) for name in precisions}
    for cell in report.cells:
        cell.roof = report.roofs[cell.precision]
    if settings.memory and device.type == "cpu":
        report.process_bytes = _process_peak(None)
        for cell in tqdm(report.cells, desc="memory", disable=None, leave=False):
            cell.peak_bytes = _process_peak((cell.model, cell.size, cell.precision, torch.get_num_threads()))
    return report


def _run_rounds(timers: Sequence[_CellTimer], photos: Sequence[_PhotoTimer], meter: RoofMeter, runs: int) -> None:
    rounds = min(runs, _ROUNDS)
    with tqdm(total=rounds * (len(timers) + len(photos)), disable=None, leave=False) as bar:
        for number in range(rounds):
            share = runs // rounds + (number < runs % rounds)
            visits: list[Callable[[], None]] = [functools.partial(timer.visit, share) for timer in timers]
            visits += [photo.visit for photo in photos]
            meter.burst()
            for visit in visits if number % 2 == 0 else reversed(visits):
                visit()
                bar.update()
            meter.burst()


class _CellTimer:
    """One cell: its inputs, how to run it, and what was found."""

    def __init__(self, contender: Contender, size: int, precision: str, batch_size: int, plain: bool = False) -> None:
        self.size, self.precision = size, precision
        self.plain = contender.plain if plain else None
        self.contender, self.device = contender, contender.colorizer.device
        self.dtype = PRECISIONS[precision]
        generator = torch.Generator().manual_seed(size)
        lightness = 100 * torch.rand(batch_size, 1, size, size, generator=generator)
        self.batch = lightness.contiguous(memory_format=torch.channels_last).to(self.device)
        self.one = self.batch[:1].clone(memory_format=torch.channels_last)

    def _arithmetic(self) -> nullcontext[None] | torch.autocast:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)

    @torch.inference_mode()
    def forward(self, L: Tensor) -> None:
        """As sampling runs the network."""
        with self._arithmetic():
            self.contender.network(L).ab.float()

    @torch.inference_mode()
    def forward_plain(self, network: ColorizationNetwork) -> None:
        """One photo as a script would run the layers: PyTorch's own layout, nothing cut off."""
        with self._arithmetic():
            network.predict(pad_to_stride(self.one.contiguous(), network.stride), NOTHING)

    def warm(self, work: Work, memory: bool) -> None:
        """Run once with each input; on CUDA measure the memory of the first."""
        self.figures = CellFigures(self.contender.name, self.size, self.precision, work, batch_size=len(self.batch))
        if memory and self.device.type == "cuda":
            settle(self.device)
            torch.cuda.empty_cache()
            before = torch.cuda.memory_allocated(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self.forward(self.one)
            settle(self.device)
            state = self.contender.network.state_dict().values()
            weights = sum(tensor.numel() * tensor.element_size() for tensor in state)
            self.figures.peak_bytes = torch.cuda.max_memory_allocated(self.device) - before + weights
        self.forward(self.one)
        self.forward(self.batch)

    def visit(self, runs: int) -> None:
        """One run that is not timed, `runs` that are, and one batch; plain runs in turn with the others."""
        self.forward(self.one)
        if self.plain is not None:
            self.forward_plain(self.plain)
        for _ in range(runs):
            self.figures.seconds.append(seconds_of(lambda: self.forward(self.one), self.device))
            if self.plain is not None:
                run_plain = functools.partial(self.forward_plain, self.plain)
                self.figures.plain_seconds.append(seconds_of(run_plain, self.device))
        if len(self.batch) == 1:
            self.figures.batch_seconds = self.figures.seconds
        else:
            self.figures.batch_seconds.append(seconds_of(lambda: self.forward(self.batch), self.device))


@contextmanager
def _as_far_as_memory_goes(report: SpeedReport, what: str) -> Iterator[None]:
    """What memory does not suffice for is entered as skipped; any other error goes on its way."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        report.skipped[what] = "memory ran out"


class _PhotoTimer:
    """One model and working size on a photo file. What is written is thrown away, so random weights do no harm."""

    def __init__(self, contender: Contender, size: int, photo: Path, folder: Path) -> None:
        self.colorizer, self.photo, self.size = contender.colorizer, photo, size
        self.figures = PhotoFigures(contender.name, size)
        read = read_photo(photo)
        self.target = folder / f"out{output_suffix(read.format, None, 8 * read.pixels.itemsize)}"
        self._whole()

    def _whole(self) -> Photo:
        (colour,) = self.colorizer.colorize([read_photo(self.photo)], Request(size=self.size))[0]
        colour.save(self.target)
        return colour.photo

    def visit(self) -> None:
        """Time the whole, then the files alone."""
        colours: list[Photo] = []
        cpu = torch.device("cpu")  # the pixels are back from any device when a photo is joined
        self.figures.whole.append(seconds_of(lambda: colours.append(self._whole()), cpu))
        decode = seconds_of(lambda: read_photo(self.photo), cpu)
        encode = seconds_of(lambda: write_photo(colours[0], self.target, self.colorizer.mark), cpu)
        self.figures.files.append(decode + encode)


def run_once(model: str, size: int, precision: str, threads: int) -> None:
    """Load a model and run it once on the CPU: what the process of a memory measurement does."""
    torch.set_num_threads(threads)
    timer = _CellTimer(load_contender(model, "cpu"), size, precision, 1)
    timer.forward(timer.one)


def _process_peak(cell: tuple[str, int, str, int] | None) -> int | None:
    """Peak memory of a process that runs a cell once, or that imports the same and does nothing."""
    program = "import sys, json; from chromagan.benchmark.models import run_once\n"
    program += "cell = json.loads(sys.argv[1])\nif cell: run_once(*cell)"
    cost = measure_process([sys.executable, "-c", program, json.dumps(cell)])
    if cost.exit_code:
        raise DeviceError(f"memory of {cell} cannot be measured, its process failed: {cost.reason}; use --no-memory")
    return cost.peak_bytes
