"""Pages of the documentation site that stand elsewhere or are made: a hook of MkDocs, named in mkdocs.yml.

README, changelog and cards are pages without a copy of them; each room of the package has a page of its API, made from
its docstrings; the example scripts are one page.
"""

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "chromagan"
BORROWED = {
    "index.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CITATION.cff": "CITATION.cff",
    "adapters.md": "adapters/README.md",
    "MODEL_CARD.md": "weights/MODEL_CARD.md",
    "LICENSES.md": "weights/LICENSES.md",
}
BESIDE = "errors and version"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the API a tab: the public names first, then a page a room."""
    pages = [{"Public names": "api/index.md"}, *({name: _page(name)} for name in _rooms())]
    config.nav.insert(len(config.nav) - 1, {"API": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands outside of docs/ and what is made."""
    for page, source in BORROWED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    made = {_page(name): _room_page(name, modules) for name, modules in _rooms().items()}
    made |= {"api/index.md": _public_page(), "examples.md": _examples_page()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository, as GitHub shows them, become links between pages of the site."""
    if page.file.src_uri.startswith("api/"):
        return markdown
    markdown = markdown.replace("](adapters/README.md", "](adapters.md")
    # A page is called by its name, not by its file's.
    markdown = re.sub(r"\[(?:docs/|weights/)?([\w-]+)\.md\]\(", r"[\1](", markdown)
    markdown = re.sub(r"\]\((?:\.\./)?examples/[^)]*\)", "](examples.md)", markdown)
    return re.sub(r"\]\((?:\.\./)?(?:docs/|weights/|(?=[A-Z]+\.))", "](", markdown)


def _rooms() -> dict[str, list[str]]:
    """Modules by room, that is by folder of the package; those beside the folders make a room of their own."""
    rooms: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "__main__.py" or path == PACKAGE / "__init__.py":
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        rooms.setdefault(parts[1] if len(parts) > 2 else BESIDE, []).append(module)
    return dict(sorted(rooms.items(), key=lambda room: (room[0] == BESIDE, room[0])))


def _page(room: str) -> str:
    return f"api/{room.replace(' ', '_')}.md"


def _room_page(name: str, modules: list[str]) -> str:
    """A heading for the room, then its own docstring without another one, then its modules."""
    title = "Beside the rooms" if name == BESIDE else f"chromagan.{name}"
    blocks = [f"::: {m}\n    options:\n      show_root_heading: {str(m != title).lower()}" for m in modules]
    return "\n\n".join([f"# {title}", *blocks]) + "\n"


def _public_page() -> str:
    """The names that `import chromagan` hands out, with links to where they are defined."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    rows = [
        f"| [`{alias.name}`][{node.module}.{alias.name}] | {_first_line(str(node.module), alias.name)} |"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chromagan.")
        for alias in node.names
        if not alias.name.startswith("_")
    ]
    head = "`from chromagan import ...` gives these; the other pages are for those who build on the rooms."
    return "\n".join(["# Public names", "", head, "", "| name | what |", "|---|---|", *sorted(rows)]) + "\n"


def _first_line(module: str, name: str) -> str:
    """Of the docstring of a class or function."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _examples_page() -> str:
    """The scripts of examples/, whole."""
    parts = ["# Examples\n\nThe scripts of `examples/`, which the tests run."]
    for path in sorted((ROOT / "examples").glob("*.py")):
        parts.append(f"## {path.name}\n\n```python\n{path.read_text(encoding='utf-8').strip()}\n```")
    return "\n\n".join(parts) + "\n"
