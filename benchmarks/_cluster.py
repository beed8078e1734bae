"""A scheduler and two workers of Dask, in processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn.utils import Bunch

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)


@contextmanager
def start_dask(folder: Path, **environment: str) -> Iterator[Bunch]:
    """Start a cluster, whose processes are killed in the end.

    Parameters
    ----------
    folder : Path
        Where it writes its log and what it spills.
    **environment : str
        Variables of the environment of its processes, beside those of this one.

    Yields
    ------
    cluster : Bunch
        `client`, and the processes `scheduler` and `workers`; the workers compute with one thread.
    """
    from distributed import Client

    known, log = folder / "scheduler.json", folder / "log"
    common = ["--scheduler-file", str(known), "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", *common, "--host", "127.0.0.1", "--port", "0"]
    # without a nanny: it would outlive its worker, or the worker it
    worker = [*dask, "worker", *common, "--no-nanny", "--nworkers", "1", "--nthreads", "1"]
    worker += ["--host", "127.0.0.1", "--local-directory", str(folder)]
    how = {**os.environ, **ONE_THREAD, **environment}
    processes: list[subprocess.Popen] = []
    with log.open("w") as file:
        try:
            for command in (scheduler, worker, worker):
                processes.append(subprocess.Popen(command, env=how, stdout=file, stderr=file))
            while not known.exists():
                assert processes[0].poll() is None, log.read_text()
                time.sleep(0.2)
            with Client(scheduler_file=str(known), timeout=300) as client:
                client.wait_for_workers(2, timeout=300)
                yield Bunch(client=client, scheduler=processes[0], workers=processes[1:])
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
