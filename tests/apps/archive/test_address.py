"""The address of a Ray cluster, and how actors fit into one. No cluster is started."""

import socket
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("ray")

from chromagan.apps.archive import cluster
from chromagan.apps.archive.cluster import fit_actors
from chromagan.apps.archive.order import Order
from chromagan.apps.cli.main import main
from chromagan.errors import UsageError


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:10001", ":6379", "127.0.0.1:x", "[::1]"])
def test_what_is_no_address_is_told(scans, tmp_path, caplog, address):
    assert main(["archive", str(scans(1)), "-o", str(tmp_path / "out"), "--address", address]) == 2
    assert "write HOST:PORT, or auto" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "no host", "x" * 300])
def test_nobody_at_an_address_is_told_at_once(scans, tmp_path, caplog, host):
    began = time.monotonic()
    address = f"{host}:{free_port()}"
    assert main(["archive", str(scans(1)), "-o", str(tmp_path / "out"), "--address", address]) == 1
    assert f"no Ray cluster answers at {address}" in caplog.text
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(("machines", "asked", "actors", "processors"), [
    ([(2, 0)], (None, None, 0), 1, 2),
    ([(16, 0)], (None, None, 0), 4, 4),
    ([(6, 0), (6, 0)], (None, None, 0), 4, 3),  # one of four on each would leave two idle
    ([(5, 0)], (None, None, 0), 1, 4),
    ([(7, 0)], (None, None, 0), 2, 3),
    ([(10, 0)], (None, None, 0), 5, 2),
    ([(6, 0), (6, 0)], (None, 3, 0), 4, 3),
    ([(16, 0), (2, 0), (0, 0)], (None, None, 0), 9, 2),
    ([(2, 0)], (2, None, 0), 2, 1),
    ([(2, 0)], (5, None, 0), 2, 1),
    ([(64, 0)], (3, None, 0), 3, 4),
    ([(16, 8), (16, 0)], (None, None, 1), 8, 2),
    ([(16, 1)], (None, None, 0.5), 2, 4),
    ([(16, 4)], (2, None, 1), 2, 4),
])  # fmt: skip
def test_actors_fit_into_machines(machines, asked, actors, processors):
    has = [{"CPU": float(cpus), "GPU": float(gpus)} if gpus else {"CPU": float(cpus)} for cpus, gpus in machines]
    assert fit_actors(has, *asked) == (actors, processors)
    assert sum(cpus // processors for cpus, _ in machines) >= actors


@pytest.mark.parametrize(("machines", "asked"), [
    ([(2, 0)], (None, None, 1)), ([(2, 0), (2, 0)], (None, 3, 0)), ([(2, 1)], (1, None, 2)), ([(2, 1)], (None, 4, 1)),
])  # fmt: skip
def test_no_room_is_told(machines, asked):
    has = [{"CPU": float(cpus), "GPU": float(gpus)} for cpus, gpus in machines]
    with pytest.raises(UsageError, match="an actor needs"):
        fit_actors(has, *asked)


class _Work:
    """What Ray Data has under way: it ends when nobody holds it."""

    def __init__(self, told):
        self.told = told

    def batches(self, **_):
        held = self  # as frames of an error do
        yield from ()
        raise KeyboardInterrupt(held is None)

    def __del__(self):
        self.told.append("work")


def test_ctrl_c_ends_the_work_before_the_cluster(monkeypatch):
    """The other way round Ray would start another cluster, and wait for it without end."""
    told = []

    def stream(*_, **__):
        return SimpleNamespace(iter_batches=lambda **how: _Work(told).batches(**how))

    context = SimpleNamespace(get_current=SimpleNamespace)
    data = SimpleNamespace(
        DataContext=context, ActorPoolStrategy=dict, from_items=lambda *_, **__: SimpleNamespace(map_batches=stream)
    )
    fake = SimpleNamespace(
        data=data, init=lambda *_, **__: None, shutdown=lambda: told.append("cluster"),
        nodes=lambda: [{"Resources": {"CPU": 4.0}, "Alive": True}], exceptions=SimpleNamespace(RayError=OSError),
    )  # fmt: skip
    monkeypatch.setattr(cluster, "_ray", lambda: fake)
    with pytest.raises(KeyboardInterrupt) as error:
        list(cluster.Cluster()(Order(out="x"), ["000000-0000"]))
    assert told == ["work", "cluster"]
    assert error.value.__traceback__
