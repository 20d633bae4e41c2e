# One image for every service: `saga` and its commands. What it installs is in a layer of its own, which is made anew only
# when the dependencies change. https://docs.docker.com/build/building/best-practices/

FROM python:3.13-slim AS built
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/saga
COPY constraints.txt pyproject.toml ./
RUN /build/bin/python -c "import tomllib; it = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        print(*it['dependencies'], *it['optional-dependencies']['otel'], sep='\n')" > needed.txt \
    && /build/bin/pip install --no-cache-dir --quiet -c constraints.txt hatchling \
    && /build/bin/pip --python /opt/saga/bin/python install --no-cache-dir --quiet -c constraints.txt -r needed.txt
COPY README.md LICENSE ./
COPY adapters adapters
COPY chaos chaos
COPY cli cli
COPY client client
COPY orchestrator orchestrator
COPY participants participants
COPY sagas sagas
RUN /build/bin/pip wheel --no-cache-dir --quiet --no-deps --no-build-isolation -w /wheels . \
    && /build/bin/pip --python /opt/saga/bin/python install --no-cache-dir --quiet --no-deps /wheels/*.whl

FROM python:3.13-slim
# Where `saga secrets` writes, a volume for each: a new one takes its owner from here. Add the names of your own services.
ARG SECRETS="init mongo redis orchestrator inventory payment orders operator prometheus"
RUN groupadd --gid 10001 saga && useradd --uid 10001 --gid saga --no-create-home --home-dir /tmp saga \
    && for each in $SECRETS; do install -d -o saga -g saga -m 750 "/secrets/$each"; done
ENV PATH=/opt/saga/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=built /opt/saga /opt/saga
WORKDIR /opt/saga
USER 10001:10001
ENTRYPOINT ["saga"]
CMD ["--help"]
