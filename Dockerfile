# Airbyte's base image for Python connectors, the one that metadata.yaml names: Python 3.13 and a user `airbyte`.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.1@sha256:a268b44c733ae699a60f5fbc06a324945dba98945c6e2ab7f8609f2f895b0d28

# The wheel, the same as users install. Its build tool stays behind in this stage.
FROM ${BASE_IMAGE} AS builder
WORKDIR /build
COPY requirements/build.txt requirements/build.txt
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY source_binance_futures source_binance_futures
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${BASE_IMAGE}
WORKDIR /airbyte/integration_code

# The dependencies first: this layer is made again only when a pin changes.
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/runtime.txt

COPY --from=builder /wheels /wheels
RUN python -m pip install --no-cache-dir --no-deps /wheels/*.whl

# The exec form, so that a stop signal reaches Python and not a shell. Airbyte's platform starts the image through
# AIRBYTE_ENTRYPOINT; without it the pod ends with code 127.
ENV AIRBYTE_ENTRYPOINT="source-binance-futures"
ENTRYPOINT ["source-binance-futures"]

USER airbyte
