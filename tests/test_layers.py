"""Imports point one way: from a room to rooms of lower rows, and in no circle; lazy and type-checking ones count."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import chromagan

PACKAGE = Path(chromagan.__file__).parent

# The house from the street down. A room imports rooms of lower rows, and itself.
ROWS = (
    ("apps",),
    ("benchmark",),
    ("training",),
    ("evaluation",),
    ("reports", "film"),
    ("inference",),
    ("pretrained", "metrics", "data"),
    ("models", "losses", "images"),
    ("conditioning",),
    ("color", "compute", "files"),
    ("options",),
    ("strangers",),
    ("errors", "version"),
)
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
# The package's faces hand out names of any row; nothing inside may import them.
FACES = {"", "__main__"}


def imports_of(package):
    """What every module of a package imports of it, anywhere in the file, as names below it: `color.lab`, `errors`."""
    names = {file: file.relative_to(package).with_suffix("").as_posix().replace("/", ".") for file in modules(package)}
    names = {file: name.removesuffix("__init__").removesuffix(".") for file, name in names.items()}
    known, found = set(names.values()), {}
    for file, name in names.items():
        imported = imported_names(file, package.name)
        found[name] = {whole if whole in known else whole.rpartition(".")[0] for whole in imported}
    return found


def modules(package):
    return sorted(package.rglob("*.py"))


def imported_names(file, package):
    """`color.lab.rgb_to_lab` for `from chromagan.color.lab import rgb_to_lab`, `color.lab` for `import ...`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            imported = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in imported:
            top, _, rest = name.partition(".")
            if top == package:
                yield rest


def room(module):
    return module.partition(".")[0]


def arrows_up(imports):
    """(module, what it imports) wherever that lies in no lower row, and in another room or a face of the package."""
    inside = {module: others for module, others in imports.items() if module not in FACES}
    return sorted(
        (module, other)
        for module, others in inside.items()
        for other in others
        if room(other) in FACES or (room(other) != room(module) and ROW[room(other)] <= ROW[room(module)])
    )


def circle(graph):
    """Names that import each other in a circle; None where none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def parts(imports, inside):
    """What the parts of a room, its folders and files, import of each other."""
    graph = {}
    for module, others in imports.items():
        if module.startswith(f"{inside}."):
            part = module.split(".")[1]
            near = {other.split(".")[1] for other in others if other.startswith(f"{inside}.")}
            graph.setdefault(part, set()).update(near - {part})
    return graph


IMPORTS = imports_of(PACKAGE)
ROOMS = sorted({room(module) for module in IMPORTS if "." in module})


def test_every_room_has_a_row():
    assert {room(module) for module in IMPORTS} - FACES <= set(ROW)


def test_imports_point_to_lower_rows():
    assert not arrows_up(IMPORTS)


def test_no_module_imports_itself_over_others():
    assert circle(IMPORTS) is None


@pytest.mark.parametrize("name", ROOMS)
def test_no_part_of_a_room_imports_one_that_stands_on_it(name):
    assert circle(parts(IMPORTS, name)) is None


def test_conditioning_is_plain_data_and_tensors():
    above = {room(other) for module in IMPORTS if room(module) == "conditioning" for other in IMPORTS[module]}
    assert above <= {"conditioning", "color", "errors"}


def test_reports_take_plain_rows():
    above = {room(other) for module in IMPORTS if room(module) == "reports" for other in IMPORTS[module]}
    assert above <= {"reports", "errors"}


@pytest.fixture
def house(tmp_path):
    """Build a package of given files and read its imports."""

    def build(**files):
        for name, text in files.items():
            file = tmp_path / "chromagan" / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return imports_of(tmp_path / "chromagan")

    return build


@pytest.mark.parametrize("text", [
    "from chromagan.training import loop",
    "import chromagan.training.loop",
    "def f():\n    from chromagan.training.loop import run",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from chromagan.training.loop import run",
])  # fmt: skip
def test_an_arrow_up_is_found_wherever_it_stands(house, text):
    imports = house(color__lab=text, training__loop="from chromagan.color.lab import f")
    assert arrows_up(imports) == [("color.lab", "training.loop")]
    assert {"color.lab", "training.loop"} <= set(circle(imports))


def test_rooms_of_one_row_and_the_face_are_out_of_reach(house):
    imports = house(metrics__psnr="import chromagan.data.photos", data__photos="from chromagan import Colorizer")
    assert arrows_up(imports) == [("data.photos", ""), ("metrics.psnr", "data.photos")]


def test_a_circle_of_parts_is_found(house):
    files = {name: f"from chromagan.data.{other} import f" for name, other in
             (("data__a__x", "b"), ("data__a__y", "c"), ("data__b", "c"), ("data__c", "a.x"))}  # fmt: skip
    assert {"a", "c"} <= set(circle(parts(house(**files), "data"))) <= {"a", "b", "c"}
    assert circle(parts(house(data__c=""), "data")) is None
