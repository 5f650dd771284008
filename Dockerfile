# One image for every process of the system:
#   run gateway | run consumer | run bulk | run relay | migrate | any other command of ./sov
# JSON logs on stdout; SIGTERM drains. Configuration is the environment alone (see `config`).

FROM python:3.11-slim AS build
# uv or a compiler are not needed: every locked dependency has a wheel.
WORKDIR /src
RUN python -m venv /opt/sov
COPY requirements.lock ./
RUN /opt/sov/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bank ./bank
COPY cli ./cli
COPY consumers ./consumers
COPY gateway ./gateway
COPY ledger ./ledger
COPY producers ./producers
COPY topology ./topology
# Copied into the environment, not linked: the image holds no sources beside it.
RUN /opt/sov/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index . \
 && /opt/sov/bin/pip uninstall --yes pip

FROM python:3.11-slim
RUN groupadd --system --gid 10001 sov \
 && useradd --system --uid 10001 --gid sov --home-dir /nonexistent --shell /usr/sbin/nologin sov
COPY --from=build /opt/sov /opt/sov
ENV PATH=/opt/sov/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python", "-m", "cli"]
CMD ["run", "gateway"]
