FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    POSTERITY_DATA=/data \
    POSTERITY_HOST=0.0.0.0 \
    POSTERITY_ACCESS_LOG=1 \
    KERAS_HOME=/data/keras

# OpenMP, for implicit.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

WORKDIR /app

# Dependencies change less often than the code: a layer of their own.
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE posterity.py ./
COPY index index
COPY indexer indexer
COPY server server
RUN pip install --no-deps --no-build-isolation . \
    && useradd --system --create-home posterity \
    && mkdir /data \
    && chown posterity /data

USER posterity
VOLUME /data
EXPOSE 8000

ENTRYPOINT ["posterity"]
CMD ["serve"]
