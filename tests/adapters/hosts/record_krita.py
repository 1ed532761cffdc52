"""Writes krita.json: what Krita calls the methods of its scripting objects, and what they take.

PYTHONPATH=tests/adapters/hosts QT_QPA_PLATFORM=offscreen kritarunner -s record_krita -f main
"""

import json
import re
from pathlib import Path

import krita
from PyQt5.QtCore import QObject

CLASSES = ("Document", "Extension", "InfoObject", "Krita", "Node", "Window")


def taken(method):
    """Names of a method's arguments, without itself."""
    inside = re.sub(r"\[.*?\]", "", re.search(r"\((.*?)\)(?: ->|$|\n)", method.__doc__, re.DOTALL).group(1))
    return [word.split(":")[0].strip() for word in inside.split(",") if word.strip() not in ("", "self")]


def methods(name):
    """Of a class, without those of any object of Qt."""
    named = {one: getattr(getattr(krita, name), one) for one in dir(getattr(krita, name)) if not hasattr(QObject, one)}
    return {one: taken(method) for one, method in named.items() if one[0] != "_" and "(" in (method.__doc__ or "")}


def main(_):
    """Record them."""
    found = {name: methods(name) for name in CLASSES} | {"version": krita.Krita.instance().version()}
    lines = (f"{json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found))
    Path(__file__).with_name("krita.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
