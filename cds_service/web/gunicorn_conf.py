"""How the production server runs; used by ``myeloma-cds serve`` and usable as ``gunicorn -c python:...``.

Threads, because a call may wait for the EHR's FHIR server; processes, because reading charts is work.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from cds_service.settings import load_settings
from cds_service.web.logs import logging_config


def _remove_folder(folder: str, master: int) -> None:
    """Cleans up where the master ends; its workers inherit the duty and must leave it alone."""
    if os.getpid() == master:
        shutil.rmtree(folder, ignore_errors=True)


_settings = load_settings()
# Without brackets an IPv6 address and its port could not be told apart.
_host = f"[{_settings.host}]" if ":" in _settings.host and "[" not in _settings.host else _settings.host

# The metrics of all processes meet in files of this folder; it must be named before the first metric exists.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="myeloma-cds-metrics-")
    atexit.register(_remove_folder, os.environ["PROMETHEUS_MULTIPROC_DIR"], os.getpid())

bind = f"{_host}:{_settings.port}"
worker_class = "cds_service.web.worker.ImpatientWorker"
workers = _settings.workers
threads = _settings.threads
preload_app = True
timeout = 30
graceful_timeout = 25
keepalive = 15
limit_request_line = 8190  # beyond it gunicorn answers by itself, in HTML and without CORS
max_requests = 10_000
max_requests_jitter = 1_000
control_socket_disable = True  # a socket in the home folder that nobody here needs
proc_name = "myeloma-cds"
accesslog = None  # addresses may hold patient ids; hook calls have a line of their own
logconfig_dict = logging_config(_settings)
if Path("/dev/shm").is_dir():  # noqa: S108 - heartbeats in memory: a slow disk must not look like a hung worker
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def when_ready(server: Any) -> None:
    """The sockets are open: say where discovery is."""
    print(f"Discovery: {_settings.public_url}/cds-services", flush=True)
    gc.collect()
    gc.freeze()  # the knowledge stays in memory shared by all workers


def post_fork(server: Any, worker: Any) -> None:
    """Large charts are parsed two to four times faster when the collector does not run all the while."""
    gc.set_threshold(100_000, 20, 100)


def worker_exit(server: Any, worker: Any) -> None:
    """What the worker still has to write down is written before it ends."""
    from cds_service.store.recorder import drain_all

    drain_all(getattr(worker, "wsgi", None))


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges no longer count."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
