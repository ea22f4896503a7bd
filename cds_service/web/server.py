"""The production server inside our own process: gunicorn with the configuration beside this file."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from cds_service.web import gunicorn_conf


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn, told by a module what to do, without a command line of its own."""

    def load_config(self) -> None:
        """Takes over what :mod:`cds_service.web.gunicorn_conf` defines."""
        for name, value in vars(gunicorn_conf).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, built once before the workers are forked."""
        # Imported late: metrics look for their shared folder when they are imported.
        from cds_service.web.app import create_app

        return create_app()


def serve() -> None:
    """Serves until it is told to stop; ends the process, with status 0 after SIGTERM."""
    Server().run()
