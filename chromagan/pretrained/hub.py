"""Weights by name: of the catalogue, in a file, in a folder, or in a repository of the Hugging Face Hub.

A repository (or the folder that `save_pretrained` writes) holds `model.safetensors`, which is one of our own weights
files with its configuration, licence and sha256 inside; `config.json`, which repeats that for readers and is what the
Hub counts downloads by; and `README.md`, the model card. Only the first is ever loaded.

huggingface_hub is an extra and imported when a repository is named, or a network pushed.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from chromagan.errors import ModelError, UnknownNameError, WeightsError
from chromagan.files.atomic import write_text
from chromagan.models.contract import NOTHING, ColorizationNetwork, Condition, Prediction, count_parameters
from chromagan.models.registry import build_network, list_models, model_record
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.catalog import named_weights
from chromagan.pretrained.create import load_model
from chromagan.pretrained.store import write_weights
from chromagan.version import __version__

WEIGHTS_NAME, CONFIG_NAME, CARD_NAME = "model.safetensors", "config.json", "README.md"
# One slash, no dot or tilde in front: what the Hub allows as OWNER/NAME; a revision may follow after an @.
_REPOSITORY = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)


def find_weights(source: str | os.PathLike[str], **download: Any) -> Path:
    """The weights file that a name stands for; of these, the first that fits.

    1. a name of the catalogue (`chromagan`, `chromagan@TAG`; a file or folder of that name is `./chromagan`),
    2. a file,
    3. a folder with `model.safetensors` in it, as `save_pretrained` writes,
    4. `OWNER/NAME` or `OWNER/NAME@REVISION`: a repository of the Hugging Face Hub. A `Path` never is, and neither is a
       name below a folder `OWNER` that is here: it is a mistyped path.

    Args:
        source: the name.
        **download: arguments of `huggingface_hub.hf_hub_download` (`revision`, `token`, `cache_dir`,
            `local_files_only`, ...), for case 4.

    Raises:
        ModelError: a plain name that is neither registered nor a file or folder.
        WeightsError: there are no such weights; the message says where was looked and what helps.
    """
    text = os.fspath(source)
    plain = isinstance(source, str) and not any(mark in text for mark in {".", "/", os.sep})
    # 1. A name of the catalogue.
    if plain:
        try:
            return named_weights(text)
        except WeightsError:
            if not os.path.exists(text):
                model_record(text.partition("@")[0])  # an unknown name is told with those that are near
                raise
    path = Path(source)
    # 2. and 3. A file or a folder.
    if path.is_dir():
        return _weights_of_folder(path)
    if path.exists():
        return path
    # 4. A repository.
    match = _REPOSITORY.fullmatch(text) if isinstance(source, str) and path.suffix != ".safetensors" else None
    if match is None:
        return path  # reading it says that it is missing
    folder, _, name = text.partition("/")
    if os.path.isdir(folder):  # a mistyped path, about which nobody else is asked
        near = difflib.get_close_matches(name, os.listdir(folder), n=3)
        there = f"did you mean {' or '.join(f'{folder}/{one}' for one in near)}?" if near else "check the name"
        raise UnknownNameError(f"there is no {text}, though there is a folder {folder}; {there}")
    return _download(match["repo"], {"revision": match["revision"], **download})


def load_pretrained(source: str | os.PathLike[str]) -> tuple[ColorizationNetwork, WeightsCard]:
    """The network that a name stands for, with its weights and their card; one that needs no weights is just built.

    Args:
        source: as for `find_weights`, whose errors this raises, and those of `load_model`.
    """
    try:
        path = find_weights(source)
    except WeightsError:
        if source not in list_models() or not model_record(str(source)).weightless:
            raise
        network = build_network(str(source))
        return network, card_of(network)
    return load_model(path)


def _weights_of_folder(folder: Path) -> Path:
    file = folder / WEIGHTS_NAME
    if file.is_file():
        return file
    if (folder / "stats.jsonl").exists():
        raise UnknownNameError(
            f"{folder} is a training run; write its weights with `chromagan export {folder} -o FILE`"
        )
    raise UnknownNameError(
        f"{folder} is a folder with neither {WEIGHTS_NAME} nor a training state; name the .safetensors file"
    )


def _download(repository: str, options: dict[str, Any]) -> Path:
    require_hub(f"{repository!r} is neither a file nor a folder here; to load it from the Hugging Face Hub")
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return Path(huggingface_hub.hf_hub_download(repository, WEIGHTS_NAME, **options))
    except (errors.EntryNotFoundError, errors.HTTPError, errors.HFValidationError, OSError) as error:
        cause, remedy = next(
            (known for kind, *known in _causes(options) if isinstance(error, kind)),
            (_first_line(error), "try again later, or name a local file or folder"),
        )
        raise WeightsError(
            f"{repository!r} is neither a file nor a folder here, and not to be had from the Hugging Face Hub: "
            f"{cause}; {remedy}"
        ) from error


def _causes(options: dict[str, Any]) -> list[tuple[type[Exception], str, str]]:
    """Special kinds of errors stand before the more general ones that they derive from."""
    from huggingface_hub import errors

    revision = options.get("revision")
    return [
        (errors.LocalEntryNotFoundError, "the Hub cannot be reached and it was not downloaded before",
         "connect, or name a local file or folder"),
        (errors.RevisionNotFoundError, f"it has no revision {revision!r}", "name one that it has"),
        (errors.GatedRepoError, "its owner asks for consent", "accept its terms on the Hub, then `hf auth login`"),
        (errors.RepositoryNotFoundError, "there is none of that name, or it is private",
         "check the name, or `hf auth login`"),
        (errors.EntryNotFoundError, f"it holds no {WEIGHTS_NAME}", "name one that chromagan's push_to_hub made"),
    ]  # fmt: skip


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def require_hub(purpose: str) -> None:
    """Raise `WeightsError` with the name of the extra where huggingface_hub is not installed."""
    try:
        import huggingface_hub  # noqa: F401
    except ModuleNotFoundError as error:
        raise WeightsError(f"{purpose}: {error.name} is not installed, pip install 'chromagan[hub]'") from error


def write_pretrained(folder: str | os.PathLike[str], network: ColorizationNetwork, card: WeightsCard) -> WeightsCard:
    """Write weights, configuration and model card into a folder; made where it is missing. Needs no extra.

    The class head is left out. Tensors are stored in half precision where that loses nothing, so a file that
    `chromagan export` wrote keeps its sha256.

    Returns:
        The card of the written file.

    Raises:
        WriteError: the folder cannot be written.
    """
    folder = Path(folder)
    floats = (t for t in network.state_dict().values() if t.is_floating_point() and t.ndim > 1)
    halves = all(bool((t.half().to(t.dtype) == t).all()) for t in floats)
    written = write_weights(folder / WEIGHTS_NAME, network, card, halves)
    # What the Hub and readers look at beside them.
    facts = {
        "model_type": written.model, "network": written.config, "look": written.look.as_dict(),
        "licence": written.licence, "sha256": written.sha256, "created_by": written.created_by,
    }  # fmt: skip
    write_text(folder / CONFIG_NAME, json.dumps(facts, indent=2, sort_keys=True) + "\n")
    if not (folder / CARD_NAME).exists():  # a person may have written a better one
        write_text(folder / CARD_NAME, model_card(network, written))
    return written


def model_card(network: ColorizationNetwork, card: WeightsCard) -> str:
    """The README of a repository: what the Hub reads (licence, tags), then what a person does."""
    template = Path(__file__).with_name("model_card.md").read_text(encoding="utf-8")
    how = f"\n## How it was made\n\n    {card.command}\n" if card.command else ""
    facts = {**vars(card), "licence": card.licence.lower(), "paper": model_record(card.model).paper, "how": how}
    return template.format(**facts, parameters=count_parameters(network))


def card_of(network: ColorizationNetwork) -> WeightsCard:
    """A card for a network that came from no file; `ModelError` where its class is not registered."""
    name = vars(type(network)).get("registered_as")  # its own: a class that stands on a registered one has not
    if not name:
        raise ModelError(f"{type(network).__name__} is not registered, so nobody could load it; see register_model")
    return WeightsCard(name, dict(network.config), f"chromagan {__version__}", "Apache-2.0", "", "")


@functools.cache
def _make_hub_network() -> type:
    """`HubNetwork`: the usual mixin of huggingface_hub over a network."""
    require_hub("pushing to the Hugging Face Hub and its mixin")
    from huggingface_hub import ModelCard, ModelHubMixin

    class HubNetwork(nn.Module, ModelHubMixin, library_name="chromagan", license="apache-2.0"):
        """A network with huggingface_hub's `from_pretrained`, `save_pretrained` and `push_to_hub`.

        They are those of `huggingface_hub.ModelHubMixin`, with its options, from and to a repository or a folder; files
        are as this module describes. The card, what the weights say of themselves, is made unless given.
        """

        def __init__(self, network: ColorizationNetwork, card: WeightsCard | None = None) -> None:
            super().__init__()
            self.network = network
            self.card = card_of(network) if card is None else card

        def forward(self, L: Tensor, condition: Condition = NOTHING) -> Prediction:
            """See `ColorizationNetwork.forward`."""
            return self.network(L, condition)

        def _save_pretrained(self, save_directory: Path) -> None:
            self.card = write_pretrained(save_directory, self.network, self.card)

        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> HubNetwork:
            """As the mixin's, straight to our file: its `config.json` is for readers, ours is in the weights."""
            return cls(*load_model(find_weights(pretrained_model_name_or_path, **options))).eval()

        def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
            """The card that `write_pretrained` writes."""
            return ModelCard(model_card(self.network, self.card))

    HubNetwork.__qualname__ = "HubNetwork"
    return HubNetwork


def __getattr__(name: str) -> Any:
    if name != "HubNetwork":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _make_hub_network()


class HubColorizer:
    """What a `Colorizer` has of the usual mixin: `save_pretrained` and `push_to_hub`; it sets `network`."""

    network: ColorizationNetwork

    def pretrained_card(self) -> WeightsCard:
        """What the weights say of themselves, with the settings that sampling takes by default."""
        return card_of(self.network)

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> WeightsCard:
        """Write a folder that `from_pretrained` takes, and the Hub; see `write_pretrained`."""
        return write_pretrained(save_directory, self.network, self.pretrained_card())

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload those files to a repository of the Hugging Face Hub, in one commit; made where it is missing.

        Args:
            repo_id: OWNER/NAME.
            **options: those of `huggingface_hub.ModelHubMixin.push_to_hub`: `commit_message`, `private`, `token`,
                `branch`, `create_pr`, ...

        Returns:
            The address of the commit.

        Raises:
            WeightsError: huggingface_hub is not installed (extra `hub`), or the Hub refuses.
        """
        require_hub("pushing to the Hugging Face Hub")
        from huggingface_hub import errors

        model = _make_hub_network()(self.network, self.pretrained_card())
        try:
            return str(model.push_to_hub(repo_id, **options))
        except (errors.HTTPError, errors.HFValidationError, OSError) as error:  # HTTPError: no connection as well
            raise WeightsError(
                f"cannot push to {repo_id!r}: {_first_line(error)}; check the connection, the name and `hf auth login`"
            ) from error
