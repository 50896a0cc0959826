"""Exit status 0 if every file that an installed package recorded is still there."""

import os
import sys
import sysconfig
from importlib.metadata import distributions


def lost() -> list[str]:
    """Packages with a missing file, as a killed install or a careless `rm` leaves them."""
    names = []
    for package in distributions(path=[sysconfig.get_path("purelib")]):
        files = [str(package.locate_file(file)) for file in package.files or []]
        # Byte code comes and goes; the sources decide.
        if not files or not all(map(os.path.exists, (f for f in files if not f.endswith(".pyc")))):
            names.append(package.metadata["Name"] or "a package without a name")
    return names


if __name__ == "__main__":
    missing = lost()
    if missing:
        print(f"convexviz: files are missing from {', '.join(missing[:3])}", file=sys.stderr)
    sys.exit(bool(missing))
