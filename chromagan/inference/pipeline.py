"""Threads that overlap reading, network and writing; one item's failure leaves the others alone. It knows no photo.

A source gives jobs, stages take them one after another on threads of their own, and the calling thread is told of each
that is done and is there for Ctrl-C. Queues are short and a budget bounds what is in flight, so the memory does not
grow with the number of jobs. Whatever any thread raises becomes the line of its item; a thread that dies, or a source
that fails, ends the whole with its cause.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Any

from chromagan.errors import ChromaganError, DeviceError, describe, loading_failure
from chromagan.inference.crew import Belt, Crew, PixelBudget, Stopped

GRACE_SECONDS = 1.0  # for what is being written when the work is interrupted
_WAITING = 16


@dataclass
class Outcome:
    """How it went.

    Attributes:
        done: jobs that came through.
        failed: jobs that failed.
        interrupted: Ctrl-C ended it.
        unreported: the first error of the report itself, which lost its words and nothing else.
    """

    done: int = 0
    failed: int = 0
    interrupted: bool = False
    unreported: Exception | None = None


@dataclass
class Item:
    """A job on its way.

    Attributes:
        job: as the source gave it.
        index: its place in the source.
        value: what the stages have made of it.
        weight: what it holds of the budget until it is told.
        error: why it failed.
    """

    job: Any
    index: int
    value: Any = None
    weight: int = 0
    error: BaseException | None = None


@dataclass(frozen=True)
class Stage:
    """One stage of the way.

    Attributes:
        name: what errors call one of its threads.
        work: takes items a step further, in place. Several that fail together are tried one by one.
        threads: how many do so; asked after `load`, but for the first stage.
        room: how many finished items may wait for the next stage.
        most: how many it takes together, at most; asked like `threads`. The first stage takes one at a time.
        alike: of several, only those of one kind are taken together.
    """

    name: str
    work: Callable[[list[Item]], None]
    threads: Callable[[], int]
    room: int
    most: Callable[[], int] = lambda: 1
    alike: Callable[[Item], Hashable] | None = None


class Pipeline:
    """Jobs, from a source through stages.

    Args:
        source: of jobs, asked for one as there is room for it; in a thread of its own.
        stages: in their order; the last one writes or keeps.
        weigh: what a job will hold of the budget, before its first stage; that stage may correct `Item.weight`.
        budget: what all items in flight may hold; a heavier one goes through alone.
        load: run once, in a thread of its own, while the first stage works already; the other stages begin after it.
        enter: run by each thread of the stages that begin after `load`.
        leave: run at the end.
        explain: from a job and what was raised to the error that is told.
        ordered: tell of the jobs in the order of the source.
    """

    def __init__(
        self,
        source: Iterable[Any],
        stages: Sequence[Stage],
        *,
        weigh: Callable[[Any], int],
        budget: int,
        load: Callable[[], None],
        enter: Callable[[], None],
        leave: Callable[[], None],
        explain: Callable[[Any, BaseException], Exception],
        ordered: bool = False,
    ) -> None:
        self.outcome = Outcome()
        self._source, self._stages, self._ordered = source, stages, ordered
        self._weigh, self._load, self._enter, self._leave, self._explain = weigh, load, enter, leave, explain
        self._lock, self._reporting = threading.Lock(), False
        self._crew = Crew()
        self._budget = PixelBudget(budget, self._crew)
        self._belts: list[Belt[Item]] = [Belt(self._crew, room) for room in (_WAITING, *(one.room for one in stages))]
        self._done: Belt[Item] = Belt(self._crew, None)
        self._early: dict[int, Item] = {}
        self._next = 0

    def run(self, report: Callable[[Any, Exception | None], None]) -> Outcome:
        """Do all of it; the calling thread reports, and does nothing that could keep Ctrl-C waiting.

        Args:
            report: told of each job when it is done, with the error where it failed.

        Raises:
            ChromaganError: the loading or the program itself failed; the message names the cause.
        """
        try:
            self._start()
            while items := self._done.get():
                for item in self._due(items[0]):
                    self._tell(item, report)
        except Stopped:
            pass  # the crew's failure says why
        except KeyboardInterrupt:
            self.outcome.interrupted = True
        finally:
            self._crew.end(GRACE_SECONDS)
            self._leave()
        for item in self._rest():
            self._tell(item, report)
        self._end()
        with self._lock:
            return replace(self.outcome)  # what hangs may count on

    def stream(self) -> Iterator[Item]:
        """The items as they are done, each with its `error` explained; what is not asked for is not begun.

        Raises:
            ChromaganError: as `run`.
            KeyboardInterrupt: the source, or a stage, was interrupted.
        """
        try:
            self._start()
            while items := self._done.get():
                yield from map(self._told, self._due(items[0]))
        except Stopped:
            pass
        finally:
            self._crew.end(GRACE_SECONDS)
            self._leave()
        for item in self._done.rest():  # not those behind a gap: whoever asks takes them for the ones before
            yield from map(self._told, self._due(item))
        self._end()
        if self.outcome.interrupted:
            raise KeyboardInterrupt from self._crew.failure

    # The threads

    def _start(self) -> None:
        try:
            # Reading begins while the model is loading; the other stages follow it.
            self._crew.start("source", 1, self._feed, self._belts[0])
            self._start_stage(0)
            self._crew.start("loader", 1, self._begin)
        except RuntimeError as error:  # no more threads can be had
            self._crew.fail(error)

    def _feed(self) -> None:
        for index, job in enumerate(self._source):
            self._belts[0].put([Item(job, index)])

    def _begin(self) -> None:
        self._enter()
        self._load()
        for number in range(1, len(self._stages)):
            self._start_stage(number)

    def _start_stage(self, number: int) -> None:
        stage, last = self._stages[number], number == len(self._stages) - 1
        source, target = self._belts[number], self._belts[number + 1]
        hand_on = self._settle if last else target.put

        def work() -> None:
            if number:
                self._enter()
            while items := source.get(stage.most() if number else 1, stage.alike):
                if not number:
                    self._admit(items[0])
                hand_on([item for item in self._attempt(stage, items) if item.error is None])
                # A name that outlives the loop's turn would keep a large photo in memory while the next is awaited.
                del items

        self._crew.start(stage.name, stage.threads(), work, self._done if last else target)

    def _admit(self, item: Item) -> None:
        """Wait for an item's turn and for its share of the budget."""
        try:
            item.weight = int(self._weigh(item.job))
        except (Stopped, KeyboardInterrupt):
            raise
        except BaseException as error:
            item.error = error
        self._budget.acquire(item.weight, item.index)

    def _attempt(self, stage: Stage, items: list[Item]) -> list[Item]:
        """Take items through a stage. What it raises becomes the item's line, and that item goes no further."""
        if items[0].error is not None:
            return self._settle(items)
        held = [item.weight for item in items]
        try:
            stage.work(items)
        except (Stopped, KeyboardInterrupt):
            raise
        except BaseException as error:
            if len(items) == 1:
                items[0].error, items[0].weight = error, held[0]
                return self._settle(items)
        else:
            for item, before in zip(items, held, strict=True):
                self._budget.correct(item.weight - before)
            return items
        # One item's failure, or a batch too large for the memory: each by itself then.
        return [done for item in items for done in self._attempt(stage, [item])]

    def _settle(self, items: list[Item]) -> list[Item]:
        """Count items that go no further and hand them to the report; here, where Ctrl-C cannot come between."""
        with self._lock:
            for item in items:
                self.outcome.done += item.error is None
                self.outcome.failed += item.error is not None
        self._done.put(items)
        return []

    # The calling thread

    def _due(self, item: Item) -> Iterator[Item]:
        """The items that may be told of now that this one is done."""
        if not self._ordered:
            yield item
            return
        self._early[item.index] = item
        while self._next in self._early:
            self._next += 1
            yield self._early.pop(self._next - 1)

    def _rest(self) -> Iterator[Item]:
        """What was done when the work ended, told of or not."""
        for item in self._done.rest():
            yield from self._due(item)
        yield from (self._early[index] for index in sorted(self._early))

    def _told(self, item: Item) -> Item:
        self._budget.correct(-item.weight)
        error = None if item.error is None else self._explain(item.job, item.error)
        return replace(item, error=error)

    def _tell(self, item: Item, report: Callable[[Any, Exception | None], None]) -> None:
        self._budget.correct(-item.weight)
        if self._reporting:
            return  # Ctrl-C came while a report hung
        self._reporting = True
        try:
            report(item.job, None if item.error is None else self._explain(item.job, item.error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.outcome.unreported = self.outcome.unreported or self._explain(item.job, error)
        self._reporting = False

    def _end(self) -> None:
        """Name what ended the work, if anything but its last item did."""
        failure = self._crew.failure
        if isinstance(failure, KeyboardInterrupt):
            self.outcome.interrupted = True
        if failure is None or self.outcome.interrupted:
            return
        if isinstance(failure, ChromaganError):
            raise failure
        if isinstance(failure, ImportError | MemoryError):
            raise DeviceError(loading_failure(failure)) from failure
        total = f" of {len(self._source)}" if isinstance(self._source, Sized) else ""
        raise ChromaganError(
            f"the batch ended after {self.outcome.done + self.outcome.failed}{total} photos by an "
            f"{describe(failure)}; run it again (finished photos are skipped), --debug shows where"
        ) from failure
