"""One stream shared by several ranks: nothing twice, nothing left out, exact places."""

import copy

import pytest
import torch

from chromagan.data.loader import BatchStream, StreamState, unreadable_warning
from chromagan.data.photos import find_photos
from chromagan.data.training_photos import DataOptions, TrainingPhotos, open_training_photos


@pytest.fixture
def open_photos():
    def open_(folder, seed=3):
        return TrainingPhotos(find_photos([str(folder)]), 16, 0.6, 4.0, seed)

    return open_


def ordinals(stream, batches):
    iterator = iter(stream)
    return [o for _ in range(batches) for o in next(iterator).ordinals.tolist()]


@pytest.mark.parametrize(("count", "world"), [(6, 1), (6, 2), (7, 2), (7, 3), (5, 3), (2, 3)])
def test_ranks_share_every_epoch_without_overlap(make_folder, open_photos, count, world):
    photos = open_photos(make_folder(count))
    seen = [ordinals(BatchStream(photos, 1, rank=rank, world=world), count) for rank in range(world)]
    for rank, own in enumerate(seen):
        assert own == list(range(rank, count * world, world))
    together = sorted(o for own in seen for o in own)
    assert together == list(range(count * world))
    for epoch in range(world):
        of_epoch = [photos.index_of(o) for o in together if o // count == epoch]
        assert sorted(of_epoch) == list(range(count))


def test_photos_of_a_place_do_not_depend_on_the_number_of_ranks(make_folder, open_photos):
    folder = make_folder(5, gray=2)
    whole = iter(BatchStream(open_photos(folder), 4))
    squares = {}
    for _ in range(6):
        batch = next(whole)
        squares.update(zip(batch.ordinals.tolist(), batch.rgb, strict=True))
    for rank in range(3):
        batch = next(iter(BatchStream(open_photos(folder), 4, rank=rank, world=3)))
        assert all(o % 3 == rank for o in batch.ordinals.tolist())
        for ordinal, rgb in zip(batch.ordinals.tolist(), batch.rgb, strict=True):
            assert torch.equal(rgb, squares[ordinal])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_rank_goes_on_exactly_where_its_state_says(make_folder, open_photos, workers):
    folder = make_folder(5, gray=2, broken=1)
    stream = BatchStream(open_photos(folder), 3, workers, rank=1, world=2)
    iterator = iter(stream)
    batches, states = [], []
    for _ in range(4):
        batches.append(next(iterator))
        states.append(copy.copy(stream.state))
    for cut in range(3):
        resumed = BatchStream(open_photos(folder), 3, workers, copy.copy(states[cut]), rank=1, world=2)
        batch = next(iter(resumed))
        assert torch.equal(batch.rgb, batches[cut + 1].rgb)
        assert torch.equal(batch.ordinals, batches[cut + 1].ordinals)
        assert resumed.state == states[cut + 1]


def test_the_stream_leaves_the_runs_own_random_numbers_alone(make_folder, open_photos):
    photos = open_photos(make_folder(3))
    before = torch.get_rng_state()
    next(iter(BatchStream(photos, 2, workers=1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_counts_add_up_over_the_ranks(make_folder, open_photos):
    folder = make_folder(6, gray=2, broken=1)
    states = []
    for rank in range(3):
        stream = BatchStream(open_photos(folder), 1, rank=rank, world=3)
        iterator = iter(stream)
        while stream.state.ordinal < 27:
            next(iterator)
        states.append(stream.state)
    for rank, state in enumerate(states):
        assert state.seen == (state.ordinal - rank + 2) // 3
    assert all(state.near_gray and state.seen > 9 - 3 for state in states)


def test_another_number_of_ranks_starts_at_the_largest_place(make_folder):
    before = [StreamState(10, 2, 1, 5), StreamState(13, 1, 0, 6)]
    assert [StreamState.of_rank(before, rank, 2) for rank in range(2)] == before
    assert StreamState.of_rank(before, 0, 2) is not before[0]
    assert StreamState.of_rank(before, 0, 3) == StreamState(13, 3, 1, 11)
    assert StreamState.of_rank(before, 2, 3) == StreamState(13, 0, 0, 0)


def test_many_unreadable_photos_are_told(make_folder, open_photos):
    assert unreadable_warning(StreamState(seen=1000, unreadable=10)) is None
    assert unreadable_warning(StreamState()) is None
    stream = BatchStream(open_photos(make_folder(4, broken=2)), 8)
    next(iter(stream))
    line = unreadable_warning(stream.state, stream.unreadable_names)
    assert "x000.jpg" in line
    assert f"({stream.state.unreadable} of {stream.state.seen} seen)" in line


def test_a_configuration_opens_its_photos(make_folder, tmp_path):
    folder = make_folder(4, gray=1)
    options = DataOptions(data=[str(folder)], size=32, cache="ram", workers=0)
    photos = open_training_photos(options, folder=tmp_path)
    batch = next(iter(BatchStream(photos, 3)))
    assert batch.rgb.shape == (3, 3, 32, 32)
    assert len((tmp_path / "near_gray.csv").read_text().splitlines()) == 5
