# The server and every verb, as a user without privileges. The project is a volume at /project.
#   docker build -t rung .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/shop:/project" rung keys add first /project
#   docker run --user "$(id -u):$(id -g)" -p 127.0.0.1:8000:8000 -v "$PWD/shop:/project" rung
FROM python:3.12-slim-bookworm AS build
# What is installed: `docker build --build-arg EXTRAS=knowledge,pdf,serve` leaves torch out where another server has the model.
ARG EXTRAS=local,knowledge,pdf,sql,s3,postgres,serve,oidc,mcp,metrics,otel
# A machine without a GPU may take the small torch from an index of CPU builds, by --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_EXTRA_INDEX_URL
WORKDIR /source
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY src ./src
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements.lock ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home rung && mkdir /project && chown rung:rung /project
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER rung
VOLUME /project
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# SIGTERM lets what is being answered finish before the server goes.
STOPSIGNAL SIGTERM
ENTRYPOINT ["rung"]
CMD ["serve", "/project", "--host", "0.0.0.0", "--port", "8000"]
