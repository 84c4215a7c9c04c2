"""Where Dask workers come from: this machine, a scheduler that runs, or a cluster's queue."""

import importlib.util
import logging
import os
import re
import shlex
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
import yaml  # type: ignore[import-untyped]
from distributed import Client, Nanny, Scheduler, Status
from distributed.deploy.spec import SpecCluster
from distributed.versions import VersionMismatchWarning

from openscenes.errors import InputError
from openscenes.files import one_line, read_text
from openscenes.paths import cache_dir
from openscenes.progress import say
from openscenes.study.graph.workers import GPU, HOST, MOST, Slot
from openscenes.study.runs.memory import GIB

# Tasks start processes of their own; the scheduler hands out one task at a time, the longest chain
# first, which Dask does only for a group of tasks with few dependencies: here with any number.
_SETTINGS = {
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.terminate": False,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.rootish-taskgroup-dependencies": 10**6,
    "distributed.scheduler.worker-ttl": None,
    "distributed.admin.tick.limit": "1h",  # nobody is told that a machine is slow
}
# Some sites ask for encryption on their clusters, which has no place between two processes here.
_HERE = {"distributed.comm.require-encryption": False, "distributed.comm.default-scheme": "tcp"}
_LOOPBACK = "127.0.0.1:0"  # for what Dask serves by HTTP, with and without a dashboard
_TIMEOUT = "20s"
_LISTS = ("worker_extra_args", "job_script_prologue")  # to which ours are added
_REFUSED = (
    OSError, ValueError, TypeError, RuntimeError, ImportError, ArithmeticError, AttributeError,
)  # fmt: skip
_QUEUES = ("SLURMCluster", "PBSCluster", "LSFCluster", "SGECluster", "OARCluster", "MoabCluster")
_SHAPE = (
    "write the class of dask-jobqueue, how many jobs, and its arguments, as in "
    "`class: SLURMCluster`, `jobs: 8`, `arguments: {cores: 8, memory: 64GB}`"
)


@contextmanager
def local_workers(slots: Sequence[Slot], *, dashboard: bool = False) -> Iterator[Client]:
    """A process for each slot, on the loopback address alone; they end however this one ends.

    Each is told its GPUs before CUDA starts in it. ``dask-cuda`` would set the same variable, and
    bind workers to the cores beside their GPUs; but it gives each worker one GPU, neither a part of
    one nor several, and wants its own version of Dask.
    """
    common: dict[str, Any] = {
        "host": "127.0.0.1", "nthreads": 1, "memory_limit": 0, "dashboard_address": _LOOPBACK,
        "silence_logs": logging.CRITICAL,
    }  # fmt: skip
    workers = {
        str(number): {
            "cls": Nanny,
            "options": common | {"resources": dict(slot.gib), "env": slot.environment()},
        }
        for number, slot in enumerate(slots)
    }
    options = {
        "host": "127.0.0.1", "port": 0, "dashboard": dashboard, "dashboard_address": _LOOPBACK,
    }  # fmt: skip
    with dask.config.set(_SETTINGS | _HERE), _quiet():
        cluster = SpecCluster(
            workers, {"cls": Scheduler, "options": options}, silence_logs=logging.CRITICAL
        )
        with _ending(cluster), Client(cluster) as client:
            _tell(client, dashboard)
            yield client


@contextmanager
def cluster_workers(cluster: str, *, dashboard: bool = False) -> Iterator[Client]:
    """The workers of a scheduler that runs, or those of jobs that a file describes.

    Args:
        cluster: "tcp://host:8786", or the path of a YAML file with ``class``, ``jobs``,
            ``arguments`` of dask-jobqueue, and ``gpu_gib`` of a worker's GPU where it has one.
    Raises:
        InputError: if there is no scheduler, or the file does not describe a cluster.
    """
    with dask.config.set(_SETTINGS), _quiet():
        if "://" in cluster:
            with _connected(cluster) as client:
                _require_versions(client, cluster)
                _tell(client, dashboard)
                yield client
        else:
            jobs, queue = _queue(Path(cluster), dashboard)
            with _ending(queue) as made, Client(made) as client:
                _submit(made, jobs, Path(cluster))
                _tell(client, dashboard)
                yield client


def _connected(address: str) -> Client:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(address, timeout=_TIMEOUT)
    except _REFUSED as error:
        raise InputError(
            f"no Dask scheduler answers at {one_line(address)} ({one_line(str(error), 80)}); start "
            "one with `dask scheduler`, or mend CLUSTER="
        ) from None


def _require_versions(client: Client, address: str) -> None:
    """Refuse another Python or Dask, of which messages may be misread."""
    found: Any = client.get_versions()
    for who, there in [("scheduler", found["scheduler"]), *found["workers"].items()]:
        for name, version in _versions(found["client"]).items():
            if (other := _versions(there or {})[name]) != version:
                raise InputError(
                    f"the {'' if who == 'scheduler' else 'worker '}{who} of {one_line(address)} "
                    f"has {name} {other} and this command {version}; install the same there"
                )


def _versions(told: Mapping[str, Any]) -> dict[str, str]:
    python = str(told.get("host", {}).get("python", "unknown"))
    packages = told.get("packages", {})
    wanted = {name: str(packages.get(name, "unknown")) for name in ("dask", "distributed")}
    return {"Python": ".".join(python.split(".")[:2]), **wanted}


def _submit(cluster: SpecCluster, jobs: int, path: Path) -> None:
    """Hand the jobs to the queue; nobody waits for those that it refuses."""

    async def all_of_them() -> None:
        cluster.scale(jobs=jobs)  # type: ignore[call-arg]
        await cluster._correct_state()  # of which scale() would only log the errors

    try:
        cluster.sync(all_of_them)
    except (OSError, RuntimeError, ValueError) as error:
        for job in cluster._created:
            if job.status == Status.created:
                job.status = Status.failed  # so that the cluster can be closed
        raise InputError(
            f"the queue of the cluster file {one_line(str(path))} takes no job "
            f"({one_line(' '.join(str(error).split()), 200)}); call this command where jobs are "
            "submitted, or mend the file"
        ) from None


def _queue(path: Path, dashboard: bool) -> tuple[int, SpecCluster]:
    """How many jobs a file asks for, and the scheduler to which they will report."""
    said = _described(path)
    usual = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ModuleNotFoundError:
        raise InputError(
            f"the cluster file {one_line(str(path))} needs dask-jobqueue, which is not installed: "
            "pip install dask-jobqueue"
        ) from None
    signal.signal(signal.SIGINT, usual)  # that import makes Ctrl-C end the command without a word
    try:
        arguments = dict(said.get("arguments") or {})
        if odd := [name for name in _LISTS if isinstance(arguments.get(name), str)]:
            raise ValueError(f"{odd[0]} is a text instead of a list")
        offers = {
            HOST: dask.utils.parse_bytes(arguments["memory"]) / arguments.get("processes", 1) / GIB
        }
        if "gpu_gib" in said:
            offers[GPU] = float(said["gpu_gib"])
        resources = " ".join(f"{name}={gib:.2f}" for name, gib in offers.items())
        arguments["worker_extra_args"] = [
            *(arguments.get("worker_extra_args") or []),
            *("--nthreads", "1", "--no-dashboard", "--resources", shlex.quote(resources)),
        ]
        arguments["job_script_prologue"] = [
            f"export OPENSCENES_CACHE={shlex.quote(str(cache_dir()))} OMP_NUM_THREADS=1",
            "export DASK_DISTRIBUTED__WORKER__DAEMON=False",
            *(arguments.get("job_script_prologue") or []),
        ]
        arguments.setdefault("scheduler_options", {}).update(
            dashboard=dashboard, dashboard_address=_LOOPBACK
        )
        cluster: SpecCluster = getattr(dask_jobqueue, said["class"])(**arguments)
    except KeyError as error:
        raise InputError(
            f"the cluster file {one_line(str(path))} names no {one_line(str(error))}; {_SHAPE}"
        ) from None
    except _REFUSED as error:
        raise InputError(
            f"dask-jobqueue refuses the cluster file {one_line(str(path))}: "
            f"{one_line(str(error))}; {_SHAPE}"
        ) from None
    return said["jobs"], cluster


def _described(path: Path) -> dict[str, Any]:
    if re.fullmatch(r"[\w.-]+:\d+", str(path)):
        raise InputError(f"cluster is {path}; write the address of a scheduler as tcp://{path}")
    try:
        said = yaml.safe_load(read_text(path, "cluster file"))
    except yaml.YAMLError as error:
        raise InputError(
            f"the cluster file {one_line(str(path))} is no YAML ({one_line(str(error), 80)}); "
            f"{_SHAPE}"
        ) from None
    if not isinstance(said, dict) or said.get("class") not in _QUEUES:
        raise InputError(
            f"the cluster file {one_line(str(path))} names no class of {', '.join(_QUEUES)}; "
            f"{_SHAPE}"
        )
    jobs = said.setdefault("jobs", 1)
    if not isinstance(jobs, int) or not 1 <= jobs <= MOST:
        raise InputError(
            f"jobs is {one_line(repr(jobs))} in the cluster file {one_line(str(path))}; give a "
            f"whole number from 1 to {MOST}"
        )
    return said


def _tell(client: Client, dashboard: bool) -> None:
    """Say where the dashboard is, where one is wanted."""
    if dashboard:
        say(f"dashboard: {client.dashboard_link or 'that scheduler has none'}")


def require_dashboard() -> None:
    """Refuse ``--dashboard`` where Dask cannot draw one."""
    if importlib.util.find_spec("bokeh") is None:
        raise InputError(
            "the dashboard needs bokeh, which is not installed: pip install bokeh, or leave out "
            "--dashboard"
        )


@contextmanager
def _ending(cluster: SpecCluster) -> Iterator[SpecCluster]:
    """The cluster, whose processes end at once where the command is stopped."""
    try:
        yield cluster
    except BaseException:
        for worker in getattr(cluster, "workers", {}).values():
            with suppress(OSError, AttributeError, TypeError):
                os.kill(worker.pid, 9)  # of a process here; jobs are cancelled
        raise
    finally:
        cluster.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's words to its operators, which say nothing to a user of ours."""
    named = ("distributed", "asyncio", "tornado")  # Dask gives some below them levels of their own
    below = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in named]
    loggers = [logging.getLogger(name) for name in sorted({*named, *below})]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
