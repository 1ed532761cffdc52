"""Jobs through stages: order, budget, batches of one kind, sources that fail or never end. No photo takes part."""

import itertools
import threading
import time

import pytest

from chromagan.errors import ChromaganError
from chromagan.inference.crew import Belt, Crew
from chromagan.inference.pipeline import Pipeline, Stage


def pipeline(source, *works, ordered=False, budget=10**9, weigh=lambda job: 1, threads=3, **options):
    stages = [Stage(f"stage {n}", work, lambda: threads, room=4, **options) for n, work in enumerate(works)]
    return Pipeline(source, stages, weigh=weigh, budget=budget, load=lambda: None, enter=lambda: None,
                    leave=lambda: None, explain=lambda job, error: ChromaganError(f"{job}: {error}"),
                    ordered=ordered)  # fmt: skip


def squares(items):
    for item in items:
        time.sleep(0.01 * (item.job % 3))  # later ones are done before earlier ones
        item.value = item.job**2


def test_results_come_in_the_order_of_the_source():
    found = [item.value for item in pipeline(range(40), squares, squares, ordered=True).stream()]
    assert found == [n * n for n in range(40)]
    unordered = [item.value for item in pipeline(range(40), squares).stream()]
    assert sorted(unordered) == found != unordered


def test_a_source_without_end_is_asked_for_what_there_is_room_for():
    asked = itertools.count()
    flow = pipeline(asked, squares, ordered=True).stream()
    assert [next(flow).value for _ in range(5)] == [0, 1, 4, 9, 16]
    flow.close()
    assert next(asked) < 60
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("stage", "source"))]


def test_ordered_items_never_wait_for_what_later_ones_hold():
    # Each holds more than half of the budget: any two in the wrong order would wait for each other for ever.
    held, most, lock = [0], [0], threading.Lock()

    def hold(items):
        with lock:
            held[0] += 1
            most[0] = max(most[0], held[0])
        squares(items)

    flow = pipeline(range(12), hold, squares, ordered=True, budget=10, weigh=lambda job: 6)
    for number, item in enumerate(flow.stream()):
        with lock:
            held[0] -= 1
        assert item.value == number**2
    assert most[0] == 1


def test_a_source_that_fails_ends_the_whole_with_its_cause():
    def source():
        yield from range(5)
        raise ValueError("the list was torn")

    told = []
    with pytest.raises(ChromaganError, match="the list was torn"):
        pipeline(source(), squares).run(lambda job, error: told.append(job))
    assert set(told) <= set(range(5))


def test_an_item_that_fails_is_one_line_and_the_others_go_on():
    def odd(items):
        if any(item.job == 7 for item in items):
            raise ValueError("seven")
        squares(items)

    told = {}
    outcome = pipeline(range(20), squares, odd, most=lambda: 4).run(lambda job, error: told.update({job: error}))
    assert (outcome.done, outcome.failed) == (19, 1)
    assert [job for job, error in told.items() if error] == [7]
    assert str(told[7]) == "7: seven"
    failed = [item.job for item in pipeline(range(20), odd, ordered=True).stream() if item.error]
    assert failed == [7]


def test_only_items_of_one_kind_are_taken_together():
    belt = Belt(Crew(), None)
    belt.put([1, 3, 2, 5, 4, 7])
    belt.end()
    takes = [belt.get(3, lambda n: n % 2) for _ in range(4)]
    assert takes == [[1, 3, 5], [2, 4], [7], []]


def test_a_stream_that_ends_early_gives_nothing_from_behind_a_gap():
    later, end = threading.Event(), threading.Event()

    def source():
        yield from range(4)
        assert later.wait(60)
        raise ValueError("gone")

    def work(items):
        if items[0].job == 1:
            end.wait(60)  # left behind
        if items[0].job == 3:
            later.set()

    line, got = pipeline(source(), work, ordered=True), []
    with pytest.raises(ChromaganError, match="gone"):
        got.extend(item.job for item in line.stream())
    end.set()
    assert got in ([], [0])


def test_a_stream_that_is_interrupted_does_not_look_finished():
    def source():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(pipeline(source(), lambda items: None, ordered=True).stream())
