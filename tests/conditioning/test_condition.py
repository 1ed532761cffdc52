"""Conditions move, split, join and pad as their batch does; the old name still builds one."""

import pytest
import torch

import chromagan
from chromagan.conditioning.condition import NOTHING, Condition, GlobalHints, LocalHints, pad_to_stride
from chromagan.models import contract


def full(n=4, rows=5, columns=7):
    generator = torch.Generator().manual_seed(n)
    local = LocalHints(torch.randn(n, 2, rows, columns, generator=generator), torch.ones(n, 1, rows, columns))
    return Condition(local, GlobalHints(torch.rand(n, 313), torch.rand(n, 1), torch.ones(n, 2)))


def tensors(condition):
    return [t for hints in (condition.local, condition.overall) if hints is not None for t in vars(hints).values()]


def test_parts_joined_are_the_whole():
    whole = full()
    parts = whole.chunk(2)
    assert [len(part.local.ab) for part in parts] == [2, 2]
    joined = Condition.batch(parts)
    assert all(torch.equal(a, b) for a, b in zip(tensors(joined), tensors(whole), strict=True))
    assert NOTHING.chunk(3) == [NOTHING] * 3
    assert Condition.batch([NOTHING, NOTHING]) == NOTHING


def test_kinds_are_what_is_there():
    whole = full()
    assert (NOTHING.kinds, whole.kinds) == (frozenset(), {"local", "overall"})
    assert Condition(overall=whole.overall).kinds == {"overall"}


def test_it_moves_as_a_whole():
    assert {t.dtype for t in tensors(full().to(torch.float64))} == {torch.float64}
    assert {t.device.type for t in tensors(full().to("meta"))} == {"meta"}
    assert NOTHING.to("cpu", torch.float64) == NOTHING


def test_places_are_padded_as_the_photo_is():
    whole = full(1)
    padded = whole.pad(4)
    assert padded.local.ab.shape == (1, 2, 8, 8)
    assert torch.equal(padded.local.ab, pad_to_stride(whole.local.ab, 4))
    assert torch.equal(padded.local.mask, torch.ones(1, 1, 8, 8))
    assert padded.overall is whole.overall
    assert NOTHING.pad(4) is NOTHING


def test_the_names_of_before_still_build_a_condition():
    whole = full()
    with pytest.warns(DeprecationWarning, match="Condition"):
        built = chromagan.Hints(whole.local.ab, whole.local.mask, whole.overall)
    assert (built.local.ab is whole.local.ab, built.overall is whole.overall) == (True, True)
    with pytest.warns(DeprecationWarning, match="Condition"):
        assert chromagan.Hints(whole.local.ab, whole.local.mask).kinds == {"local"}
    with pytest.warns(DeprecationWarning, match="chromagan.conditioning.condition"):
        assert contract.GlobalHints is GlobalHints
    with pytest.raises(AttributeError, match="NoSuch"):
        _ = contract.NoSuch
