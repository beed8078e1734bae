"""The command: `python -m benchmarks [--only TOPIC ...] [--repeats N] [--root FOLDER]`."""

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

from ._paired import Row
from ._topics import TOPICS, run_topic

_PACKAGES = "skser numpy scipy scikit-learn librosa soundfile tensorflow keras opensmile typer rich"


def main(arguments: list[str] | None = None) -> None:
    """Run topics, print a table of ratios, write JSON.

    Parameters
    ----------
    arguments : list of str or None, default=None
        The command line; None takes that of the process.
    """
    options = _parse(arguments)
    rows = []
    for topic in options.only:
        # A process each: opensmile's library crashes beside TensorFlow's.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows += process.submit(
                run_topic, topic, options.root, options.repeats, options.files
            ).result()
    print(_table(rows))
    described = {"machine": _machine(), "versions": _versions(), "options": _options(options)}
    results = described | {"rows": [row.as_dict() for row in rows]}
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nWritten to {options.out}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    default = Path(os.environ.get("SKSER_EMODB", "../shared/data/emodb"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TOPICS, default=TOPICS, metavar="TOPIC")
    parser.add_argument("--repeats", type=int, default=9, help="Rounds of each comparison.")
    parser.add_argument("--files", type=int, default=535, help="Recordings, at most.")
    parser.add_argument("--root", type=Path, default=default, help="Folder of EMO-DB.")
    parser.add_argument("--synthetic", action="store_true", help="Noise in place of EMO-DB.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    options = parser.parse_args(arguments)
    options.root = None if options.synthetic else options.root
    if (
        options.root is not None
        and {"features", "opensmile"} & {*options.only}
        and not options.root.is_dir()
    ):
        parser.error(f"There is no folder '{options.root}': give --root FOLDER or --synthetic.")
    return options


def _table(rows: list[Row]) -> str:
    header = ("Topic", "What", "Beside", "Median", "Quartiles", "", "Clock", "Rounds")
    lines = [header, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{row.low:.3g} to {row.high:.3g}"
    named = (row.topic, row.ours, row.peer, f"{row.median:.3g}", spread, row.unit, row.clock)
    return (*named, str(row.n_rounds))


def _machine() -> dict[str, object]:
    system = {"system": platform.system(), "processor": platform.machine()}
    return system | {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "date": datetime.now(UTC).date().isoformat(),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES.split():
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _options(options: argparse.Namespace) -> dict[str, object]:
    taken = {"only": list(options.only), "repeats": options.repeats, "files": options.files}
    return taken | {"recordings": "noise" if options.root is None else "EMO-DB"}


if __name__ == "__main__":
    main()
