# Two targets. `posterity`, the last and so the default, does everything: fetching, building, serving, judging.
# `server` only serves what was built: without pandas, scikit-learn and the methods. They share their lower layers.
#
#     docker build --tag posterity .
#     docker build --tag posterity-server --target server .
#
# Nothing is compiled here: every package is a wheel, pinned by its hash. A closed network's index of packages is given
# with --build-arg PIP_INDEX_URL=..., its copy of Python's image with --build-arg BASE=...
ARG BASE=python:3.11-slim

FROM ${BASE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    POSTERITY_DATA=/data \
    POSTERITY_HOST=0.0.0.0 \
    POSTERITY_ACCESS_LOG=1 \
    KERAS_HOME=/data/keras \
    MPLCONFIGDIR=/tmp/matplotlib
# A number of its own, so that what is in a volume belongs to the user of the next image, too.
RUN useradd --uid 10001 --user-group --create-home posterity && mkdir /data && chown posterity:posterity /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('POSTERITY_PORT', '8000') + '/readyz', timeout=4)"]
ENTRYPOINT ["posterity"]
CMD ["serve"]

# What serving needs. Left out again: headers to compile extensions of TensorFlow with, and packages' own tests. OpenMP is
# for LightGBM, and for implicit.
FROM base AS serving
ARG PIP_INDEX_URL
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY requirements-server.txt /
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python --disable-pip-version-check \
        install --no-cache-dir --only-binary :all: --require-hashes --requirement /requirements-server.txt \
    && rm -r /opt/venv/lib/python3*/site-packages/tensorflow/include \
    && cd /opt/venv/lib/python3*/site-packages && find numpy scipy -type d -name tests -prune -exec rm -r {} +

# And what fetching, building and judging need besides.
FROM serving AS indexing
ARG PIP_INDEX_URL
COPY requirements.txt /
RUN pip --python /opt/venv/bin/python --disable-pip-version-check \
        install --no-cache-dir --only-binary :all: --require-hashes --requirement /requirements.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && find matplotlib mpl_toolkits pandas sklearn -type d -name tests -prune -exec rm -r {} +

# Posterity itself, which changes more often than what it needs: the top layer of either target.
FROM serving AS program
COPY pyproject.toml README.md LICENSE /source/
COPY index /source/index
COPY indexer /source/indexer
COPY posterity /source/posterity
COPY server /source/server
RUN pip --python /opt/venv/bin/python --disable-pip-version-check \
        install --no-cache-dir --no-index --no-deps --no-build-isolation --prefix /program /source

FROM serving AS server
COPY --from=program /program /opt/venv
USER posterity

FROM indexing AS posterity
COPY --from=program /program /opt/venv
USER posterity
