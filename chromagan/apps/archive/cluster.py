"""Shards on a Ray cluster: a pool of actors with one `Colorizer` each, kept, restarted and fed by Ray Data."""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from chromagan.apps.archive.order import Order
from chromagan.apps.archive.reach import check_address
from chromagan.apps.archive.status import Status
from chromagan.errors import ChromaganError, DeviceError, UsageError, words_of
from chromagan.inference.batch import SIDE_BY_SIDE, count_processors

# A local cluster of its own needs little: rows of status are all that goes through it.
_STORE = 100_000_000  # bytes of shared memory, about the least that Ray takes
_TASKS = 2_000  # at most; one that is repeated passes over what it did
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_TQDM": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_raylet_start_wait_time_s": "300",  # on a busy machine
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where the actors run.

    Attributes:
        address: of a Ray cluster; one of this machine's own unless given.
        actors: how many, at most; as many as there is room for unless given.
        processors: of each actor. Unless given, as many as paint photos side by side in one process, or what a machine
            has for each: one process of four processors is faster and smaller than four of one.
        gpus: of each actor, 0.5 for two that share one; 0 for the CPU.
    """

    address: str | None = None
    actors: int | None = None
    processors: int | None = None
    gpus: float = 0.0

    def __call__(self, order: Order, shards: Sequence[str]) -> Iterator[list[Status]]:
        """Paint shards.

        Yields:
            The status of photos, as they are kept.

        Raises:
            UsageError: Ray is not installed, the address is none, or there is no room for an actor.
            DeviceError: the cluster cannot be reached, or ended.
            ChromaganError: an actor could not go on; the message names the cause.
        """
        if self.address is not None:
            check_address(self.address)
            os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # of 40 seconds each, at what is no cluster
        ray = _ray()
        with self._joined(ray):
            machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            actors, processors = fit_actors(machines, self.actors, self.processors, self.gpus)
            order = replace(order, processors=processors)
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = context.print_on_execution_start = False
            context.target_max_block_size = 1  # rows go to whoever waits for them as they come
            context.raise_original_map_exception = True
            items = [{"shard": shard} for shard in shards]
            painted = ray.data.from_items(items, override_num_blocks=min(len(shards), _TASKS)).map_batches(
                Actor,
                fn_constructor_args=(order,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(actors, len(shards)), max_tasks_in_flight_per_actor=1),
                num_cpus=processors,
                num_gpus=self.gpus or None,
            )
            try:
                for batch in painted.iter_batches(batch_size=None, prefetch_batches=0):
                    rows = zip(*(column.tolist() for column in batch.values()), strict=True)
                    yield [Status(**dict(zip(batch, row, strict=True))) for row in rows]
            except ray.exceptions.RayError as error:
                raise _told(error) from error
            except KeyboardInterrupt as error:
                # Its frames hold Ray Data's own work, which would end after the cluster, begin another and wait for it.
                traceback.clear_frames(error.__traceback__)
                raise

    @contextlib.contextmanager
    def _joined(self, ray: Any) -> Iterator[None]:
        own: dict[str, Any] = {}
        if self.address is None:
            own = {"num_cpus": count_processors(), "object_store_memory": _STORE, "include_dashboard": False}
        try:
            ray.init(self.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
        except Exception as error:  # Ray raises many kinds, plain ones too
            place = self.address or "of this machine's own"
            raise DeviceError(f"the Ray cluster {place} cannot be joined ({words_of(error)[:200]})") from error
        try:
            yield
        finally:
            ray.shutdown()


def fit_actors(
    machines: Sequence[Mapping[str, float]], actors: int | None, processors: int | None, gpus: float
) -> tuple[int, int]:
    """Fit actors into machines; each is on one of them.

    Args:
        machines: what each has, as "CPU" and "GPU".
        actors: at most; as many as have room unless given.
        processors: of each; found unless given.
        gpus: of each.

    Returns:
        Actors, and processors of each.

    Raises:
        UsageError: there is no room for one.
    """
    places = [(int(has.get("CPU", 0)), int(has.get("GPU", 0) / gpus) if gpus else None) for has in machines]
    if processors is None:
        shares = [cpus if room is None else cpus // room for cpus, room in places if cpus and room != 0]
        if actors:
            shares.append(sum(cpus for cpus, _ in places) // actors)
        most = max(1, min([SIDE_BY_SIDE, *shares]))
        # The most of these that leave the fewest idle: two of three processors on a machine of six, not one of four.
        processors = max(range(min(2, most), most + 1), key=lambda count: (count * _room(places, count), count))
    room = _room(places, processors)
    if room < 1:
        has = " + ".join(f"{one.get('CPU', 0):g} processors and {one.get('GPU', 0):g} GPUs" for one in machines[:4])
        wanted = f"{processors} processors" + (f" and {gpus:g} GPUs" if gpus else "")
        raise UsageError(f"the cluster has {has}, and an actor needs {wanted}; ask for less")
    return min(room, actors or room), processors


def _room(places: Sequence[tuple[int, int | None]], processors: int) -> int:
    """Actors of so many processors in places with (processors, GPU shares or no need of them)."""
    there = ((cpus // processors, gpus) for cpus, gpus in places)
    return sum(room if gpus is None else min(room, gpus) for room, gpus in there)


class Actor:
    """A worker: one `Colorizer`, which paints shard after shard.

    Args:
        order: what is asked for.
    """

    def __init__(self, order: Order) -> None:
        from chromagan.apps.archive.shard import colorize_shard, load_colorizer  # PyTorch, which only actors need

        self._order, self._colorizer, self._paint = order, load_colorizer(order), colorize_shard

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The status of the photos of shards, some at a time, as columns."""
        for shard in batch["shard"].tolist():
            for rows in self._paint(self._order, shard, self._colorizer):
                plain = [asdict(row) for row in rows]
                yield {name: [row[name] for row in plain] for name in plain[0]}


def _ray() -> Any:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(
            f'an archive on a cluster needs {error.name}; run: pip install "chromagan[archive]", or add --here'
        ) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


def _told(error: BaseException) -> ChromaganError:
    """What ended the actors, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ChromaganError):
            return type(cause)(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = lines[-1].strip()[:300] if lines else type(error).__name__
    return DeviceError(f"the cluster ended the work ({said}); run the same command again, it goes on where it was")
