# The processor:  docker build -t relief .
# A GPU:          docker build -t relief --build-arg BASE=nvidia/cuda:13.0.1-base-ubuntu24.04 --build-arg PY=python3.12 .
# How it is run, and with how much shared memory: docs/container.md.
ARG BASE=python:3.11.13-slim-bookworm
FROM ${BASE}

ARG PY=python3.11
# The base of a GPU brings no Python; that of the processor has its own, of the same name.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git make \
    && if ! command -v "${PY}" > /dev/null; then \
         apt-get install --yes --no-install-recommends "${PY}" "${PY}-venv"; \
       fi \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 10001 relief && mkdir /relief && chown relief /relief
USER relief
WORKDIR /relief
# Packages first: a change of the code does not install them again.
COPY --chown=relief Makefile requirements.lock requirements-detectron2.txt ./
RUN make setup PY="${PY}" && rm -rf /home/relief/.cache
COPY --chown=relief . .
ENV PATH=/relief/.venv/bin:$PATH OMP_WAIT_POLICY=PASSIVE
ENTRYPOINT ["python", "-m", "relief"]
CMD ["doctor"]
