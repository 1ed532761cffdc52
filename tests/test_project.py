"""What stands beside the package says what is: one version, a changelog in its form, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from chromagan.version import __version__

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for folder in (".", "adapters", "docs", "weights") for path in (ROOT / folder).glob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def released():
    """Headings of the changelog's versions, newest first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_changelog_keeps_its_form():
    heads = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (unreleased|\d{4}-\d\d-\d\d)", head) for head in released()]
    assert all(heads), released()
    numbers = [tuple(map(int, head.groups()[:3])) for head in heads]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(head.group(4) != "unreleased" for head in heads[1:])
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= KINDS


def test_changelog_and_citation_speak_of_this_version():
    assert released()[0].startswith(f"[{__version__}]")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE).group(1) == __version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page):
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not re.match(r"\w+:|#", link)]
    broken = [link for link in targets if not (page.parent / link.partition("#")[0]).exists()]
    assert not broken


def test_forms_of_issues_ask_something():
    yaml = pytest.importorskip("yaml")
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"]
        assert form["description"]
        asked = [field for field in form["body"] if field["type"] != "markdown"]
        assert len({field["id"] for field in asked}) == len(asked)
        assert any(field.get("validations", {}).get("required") for field in asked)


def test_workflow_runs_on_three_systems():
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))["jobs"]
    systems = {name.partition("-")[0] for name in jobs["quick"]["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert jobs["whole"]["steps"][-1]["run"] == ".ci/run"
