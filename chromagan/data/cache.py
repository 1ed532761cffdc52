"""Photos decoded once into one block of memory: `ram` feeds the usual crops, `device` crops where training runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from chromagan.compute.signals import leave_signals_to_the_parent
from chromagan.data.augmentation import Square
from chromagan.data.decode import decode_photo, reduce_to
from chromagan.data.heif import decode_on_one_core
from chromagan.data.near_gray import mean_chroma
from chromagan.data.source import Photo
from chromagan.errors import DataError

_SAMPLED = 64  # photos decoded to estimate the memory of all
_CROP_PIXELS = 1 << 24  # pixels gathered at once, which bounds the passing memory of a batch
# pixels of several photos (P, 3); height and width of each as decoded and as kept (N, 4); chroma of each (N,)
_Chunk = tuple[Tensor, Tensor, Tensor]


class PhotoCache:
    """Ragged photos in one flat buffer, each with its short side at most what the random squares need.

    Near-gray and unreadable photos take no room: their `height` is 0 and their `chroma` says which (NaN: unreadable).

    Args:
        photos: what to hold.
        short_side: largest short side in pixels; smaller photos are never enlarged.
        min_chroma: near-gray below this.
        device: where the buffer lies.
        known: chroma measured before, NaN where it was not; near-gray ones are not decoded again.
        workers: processes that decode.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        short_side: int,
        min_chroma: float,
        device: torch.device,
        known: np.ndarray,
        workers: int = 0,
    ) -> None:
        self.device = device
        reader = _Reader(photos, short_side, min_chroma, known)
        share = _refuse_what_does_not_fit(reader, device)
        self.full, self.small = np.zeros((len(photos), 2), np.int64), np.zeros((len(photos), 2), np.int64)
        self.chroma = np.full(len(photos), np.nan)
        self.pixels = torch.empty(int(share * len(photos) * 1.1) + 1, 3, dtype=torch.uint8, device=device)
        used = done = 0
        with tqdm(total=len(photos), desc="caching photographs", unit="photo", disable=len(photos) < 2) as bar:
            for pixels, sides, chroma in reader.chunks(workers):
                if used + len(pixels) > len(self.pixels):  # the estimate was low
                    more = torch.empty(max(len(pixels), len(self.pixels) // 5), 3, dtype=torch.uint8, device=device)
                    self.pixels = torch.cat((self.pixels[:used], more))
                self.pixels[used : used + len(pixels)] = pixels.to(device)
                here = slice(done, done + len(chroma))
                self.full[here], self.small[here] = sides[:, :2].numpy(), sides[:, 2:].numpy()
                self.chroma[here] = chroma.numpy()
                used, done = used + len(pixels), done + len(chroma)
                bar.update(len(chroma))
        self.pixels = self.pixels[:used]
        self.starts = np.cumsum(self.small.prod(1)) - self.small.prod(1)

    def holds(self, index: int) -> bool:
        """Whether a photo is usable: neither near-gray nor unreadable."""
        return bool(self.small[index, 0])

    def photo(self, index: int) -> np.ndarray:
        """A photo of a buffer in ordinary memory: (h, w, 3) uint8, a view."""
        height, width = self.small[index]
        start = self.starts[index]
        return self.pixels[start : start + height * width].view(height, width, 3).numpy()

    def squares(self, indices: Sequence[int], squares: Sequence[Square], size: int) -> Tensor:
        """Cut and resize a batch where the buffer lies, by area where it shrinks and bilinearly where it grows.

        Args:
            indices: of the photos.
            squares: in pixels of the photos as they were decoded.
            size: side of the result in pixels.

        Returns:
            (N, 3, size, size) uint8 on the buffer's device.
        """
        small, full = self.small[list(indices)], self.full[list(indices)]
        drawn = np.array([(s.top, s.left, s.side) for s in squares], np.float64)
        scale = small / full
        low, length = drawn[:, :2] * scale, drawn[:, 2:] * scale  # (N, 2): top and left, height and width
        first = np.floor(low)
        window = int(np.ceil(low + length - first).max()) + 1
        geometry = torch.from_numpy(np.stack((low - first, length), 1)).float().to(self.device)  # (N, 2, 2)
        corner = torch.from_numpy(first.astype(np.int64)).to(self.device)
        shape = torch.from_numpy(small).to(self.device)
        start = torch.from_numpy(self.starts[list(indices)]).to(self.device)
        flip = torch.tensor([s.flip for s in squares], device=self.device)
        step = max(1, _CROP_PIXELS // window**2)
        parts = [slice(i, i + step) for i in range(0, len(squares), step)]
        return torch.cat([self._part(start[p], shape[p], corner[p], geometry[p], flip[p], window, size) for p in parts])

    def _part(
        self, start: Tensor, shape: Tensor, corner: Tensor, geometry: Tensor, flip: Tensor, window: int, size: int
    ) -> Tensor:
        reach = torch.arange(window, device=self.device)
        rows = torch.minimum(corner[:, :1] + reach, shape[:, :1] - 1)
        columns = torch.minimum(corner[:, 1:] + reach, shape[:, 1:] - 1)
        at = start[:, None, None] + rows[:, :, None] * shape[:, 1, None, None] + columns[:, None, :]
        pixels = self.pixels[at].float()  # (N, window, window, 3)
        across = _resampling(geometry[:, :, 1], size, window)
        across = torch.where(flip[:, None, None], across.flip(1), across)
        down = _resampling(geometry[:, :, 0], size, window)
        thin = down @ pixels.flatten(2)  # (N, size, window * 3)
        thin = thin.view(-1, size, window, 3).permute(0, 3, 1, 2)
        return (thin @ across.mT[:, None]).add_(0.5).clamp_(0, 255).to(torch.uint8)


def _resampling(geometry: Tensor, size: int, window: int) -> Tensor:
    """Weights (N, size, window) that resample pixels from `low` over `length`, given as (N, 2), to `size` pixels."""
    low, step = geometry[:, :1, None], geometry[:, 1:, None] / size
    out = torch.arange(size, device=geometry.device)[None, :, None]
    pixel = torch.arange(window, device=geometry.device)[None, None, :]
    begin = low + out * step
    area = (torch.minimum(begin + step, pixel + 1) - torch.maximum(begin, pixel.to(begin))).clamp_(min=0)
    centre = begin + step / 2 - 0.5  # clamped: the square's edge pixels go on outside it
    centre = torch.minimum(torch.maximum(centre, low), low + geometry[:, 1:, None] - 1).clamp_(min=0)
    tent = (1 - (pixel - centre).abs()).clamp_(min=0)
    weights = torch.where(step >= 1, area, tent)
    return weights / weights.sum(2, keepdim=True)


class _Reader(Dataset[tuple[np.ndarray | None, tuple[int, int], float]]):
    """Decodes and reduces; an item is (pixels or None, decoded height and width, chroma)."""

    def __init__(self, photos: Sequence[Photo], short_side: int, min_chroma: float, known: np.ndarray) -> None:
        self.photos, self.short_side, self.min_chroma, self.known = photos, short_side, min_chroma, known

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[np.ndarray | None, tuple[int, int], float]:
        rgb, chroma = None, float(self.known[index])
        if not chroma < self.min_chroma:
            rgb = decode_photo(self.photos[index], self.short_side)
            chroma = float("nan") if rgb is None else mean_chroma(rgb)
        if rgb is None or chroma < self.min_chroma:
            return None, (0, 0), chroma
        return reduce_to(rgb, self.short_side), (rgb.shape[0], rgb.shape[1]), chroma

    def chunks(self, workers: int) -> Iterable[_Chunk]:
        return DataLoader(
            self,
            batch_size=32,
            num_workers=workers,
            collate_fn=_flatten,
            worker_init_fn=prepare_worker if workers else None,
            generator=torch.Generator().manual_seed(0),
        )


def _flatten(items: list[tuple[np.ndarray | None, tuple[int, int], float]]) -> _Chunk:
    kept = [rgb.reshape(-1, 3) for rgb, _, _ in items if rgb is not None]
    pixels = np.concatenate(kept) if kept else np.empty((0, 3), np.uint8)
    sides = [(*full, *(rgb.shape[:2] if rgb is not None else (0, 0))) for rgb, full, _ in items]
    return torch.from_numpy(pixels), torch.tensor(sides), torch.tensor([c for _, _, c in items], dtype=torch.float64)


def prepare_worker(_: int) -> None:
    """A worker decodes on one core, and leaves Ctrl-C and its like to the process that it works for."""
    import cv2

    leave_signals_to_the_parent()
    cv2.setNumThreads(0)  # 1 would wait for the pool's threads, which a fork does not copy
    torch.set_num_threads(1)
    decode_on_one_core()


def _refuse_what_does_not_fit(reader: _Reader, device: torch.device) -> float:
    """Mean pixels a photo, over a sample of them; `DataError` where all would take more than what is free."""
    sample = np.unique(np.linspace(0, len(reader) - 1, _SAMPLED).astype(int))
    pixels = [rgb.shape[0] * rgb.shape[1] for rgb in (reader[int(i)][0] for i in sample) if rgb is not None]
    share = sum(pixels) / len(sample)
    need = 3.3 * share * len(reader)
    where = "ram" if device.type == "cpu" else "device"
    # torchrun starts several processes on a machine, and each of them holds all photos
    free = free_memory(device) / (int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if where == "ram" else 1)
    if need > 0.9 * free:
        raise DataError(
            f"--cache {where}: the photographs would take about {need / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free; "
            "use --cache none, a smaller --size or fewer photographs"
        )
    return share


def free_memory(device: torch.device) -> float:
    """Bytes that a process can still take on a device; for the CPU the lower of the machine's and the container's."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return min(_machine_memory(), _container_memory())


def _machine_memory() -> float:
    info = Path("/proc/meminfo")
    if info.exists():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines())
        return 1024.0 * int(lines["MemAvailable"].split()[0])
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _container_memory() -> float:
    """What the control group leaves, its file cache counted as free; infinity where it sets no limit."""
    files = [Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current", "memory.stat")]
    if not all(file.exists() for file in files):
        return float("inf")
    limit, current, stat = (file.read_text().strip() for file in files)
    if limit == "max":
        return float("inf")
    files_cached = int(dict(line.split() for line in stat.splitlines()).get("inactive_file", "0"))
    return float(int(limit) - int(current) + files_cached)
