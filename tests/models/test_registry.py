"""The registry: one name, one network; errors that name the nearest ones."""

import pytest

from chromagan.errors import ModelError
from chromagan.models import registry
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.registry import build_network, list_models, model_record, register_model


@pytest.fixture
def own_records(monkeypatch):
    """A copy of the registry that the test may write to."""
    list_models()
    monkeypatch.setattr(registry, "_RECORDS", dict(registry._RECORDS))


def test_registered_network_is_found_and_built(own_records):
    @register_model("tiny_of_test", paper="none", recipe={"lr": 1.0})
    class Tiny(ColorizationNetwork):
        def __init__(self, width=4):
            super().__init__()
            self.config = {"width": width}

    assert "tiny_of_test" in list_models()
    assert list_models("tiny_of_*") == ["tiny_of_test"]
    assert build_network("tiny_of_test", width=3).config == {"width": 3}
    assert model_record("tiny_of_test").recipe == {"lr": 1.0}


def test_a_name_is_taken_once(own_records):
    register_model("tiny_of_test", paper="none")(type("Tiny", (ColorizationNetwork,), {}))
    with pytest.raises(ModelError, match="tiny_of_test"):
        register_model("tiny_of_test", paper="none")(type("Tiny", (ColorizationNetwork,), {}))


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ModelError, match="did you mean.*chromagan_paper"):
        model_record("chromagan_papr")
    with pytest.raises(ModelError):
        build_network("no such network")


def test_wrong_configuration_is_a_model_error():
    with pytest.raises(ModelError, match="chromagan_paper.*widht"):
        build_network("chromagan_paper", widht=3)


def test_names_are_sorted_and_without_repeats():
    names = list_models()
    assert names == sorted(set(names))
    assert "chromagan_paper" in names
