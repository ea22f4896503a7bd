"""Alembic's migrations; run by :mod:`cds_service.store.migrate` alone, on the connection it hands over."""
