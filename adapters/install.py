"""Put the plug-in into GIMP or Krita: `python adapters/install.py gimp|krita [--to FOLDER]`.

Run it with the Python that chromagan is installed for: the plug-in calls that one, whatever Python the host brings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUG_INS = {"gimp": "chromagan-colorize", "krita": "chromagan_colorize"}
THEN = {
    "gimp": "start GIMP again: Colors > Colorize with chromagan",
    "krita": "start Krita again, tick it in Settings > Configure Krita > Python Plugin Manager, and start once more: "
    "Tools > Scripts > Colorize with chromagan",
}


def place(host: str) -> Path:
    """The folder in which the host looks for plug-ins of this user."""
    home, apart = Path.home(), os.environ
    if sys.platform == "win32":
        base = Path(apart.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    elif host == "gimp":
        base = Path(apart.get("XDG_CONFIG_HOME") or home / ".config")
    else:
        base = Path(apart.get("XDG_DATA_HOME") or home / ".local" / "share")
    if host == "krita":
        return base / "krita" / "pykrita"
    # GIMP has a folder for each version, from its first start on.
    known = sorted((base / "GIMP").glob("3.*"), key=lambda path: [int(part) for part in path.name.split(".")])
    return (known[-1] if known else base / "GIMP" / "3.0") / "plug-ins"


def install(host: str, folder: Path) -> Path:
    """Copy the plug-in, and write beside it how chromagan is started; returns where it is."""
    plug_in = folder / PLUG_INS[host]
    shutil.copytree(HERE / host, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(HERE / "chromagan_command.py", plug_in)
    words = json.dumps([sys.executable, "-m", "chromagan"])
    (plug_in / "chromagan_command.json").write_text(words + "\n", encoding="utf-8")
    if host == "gimp":  # which starts executable files alone
        (plug_in / "chromagan-colorize.py").chmod(0o755)
    return plug_in


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("host", choices=PLUG_INS)
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="its plug-ins, where that is not the usual folder")
    args = parser.parse_args()
    if find_spec("chromagan") is None:
        parser.error(f"{sys.executable} has no chromagan: install it there, or call this with the Python that has it")
    try:
        print(f"{install(args.host, args.to or place(args.host))}: {THEN[args.host]}")
    except OSError as error:
        parser.error(f"cannot copy the plug-in: {error}; name another folder with --to")


if __name__ == "__main__":
    main()
