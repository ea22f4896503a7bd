# The service under the same server as `make serve`, as an unprivileged user.
#
# It listens on all addresses, where client authentication is the default; that is not built yet, so the container
# refuses to start unless whoever runs it takes the decision: docker run -e CDS_AUTH=off -p 127.0.0.1:8080:8080 ...
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/myeloma-cds
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY cds_service cds_service
COPY mappings mappings
COPY pathways pathways
COPY cards cards
COPY tests/patients tests/patients
RUN /opt/myeloma-cds/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[postgres]' \
    && /opt/myeloma-cds/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN pip uninstall --yes pip setuptools wheel \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cds \
    && install --directory --owner=cds --mode=0750 /var/lib/myeloma-cds
COPY --from=build /opt/myeloma-cds /opt/myeloma-cds
ENV PATH=/opt/myeloma-cds/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CDS_HOST=0.0.0.0 \
    CDS_PORT=8080 \
    CDS_LOG_FORMAT=json \
    CDS_DATABASE_URL=sqlite:////var/lib/myeloma-cds/cards.sqlite
# Feedback outlives the container. With CDS_DATABASE_URL=postgresql+psycopg://... nothing is written here.
VOLUME /var/lib/myeloma-cds
WORKDIR /tmp
USER 10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"CDS_PORT\"]}/health/ready', timeout=4)"]
CMD ["myeloma-cds", "serve"]
