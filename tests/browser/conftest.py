"""Fixtures of the browser tests: a real server and Chromium, without console errors or requests to other hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from _pytest.mark.structures import ParameterSet
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.paths import ROOT
from tests.serving import Serving, free_port, serving

# The headless shell first: the others draw windows around the pages, which takes half of the processor.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (360, 1280, 2560)
THEMES = ("light", "dark")


def looks(*quick: tuple[int, str]) -> list[ParameterSet]:
    """Return every width in every theme; all but ``quick`` are long."""
    return [
        pytest.param(width, theme, marks=[] if (width, theme) in quick else pytest.mark.long)
        for width in WIDTHS
        for theme in THEMES
    ]


Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Launch Debian's or Playwright's Chromium; skip the tests without one."""
    program = os.environ.get("POSTERITY_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell, or name one by POSTERITY_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Site(Serving):
    data: Path = Path()


@dataclass(frozen=True)
class UnderPath:
    """The site behind nginx, under a path of its own."""

    address: str
    path: str


class OtherSite(ThreadingHTTPServer):
    """Another site, of two origins: the server of the sample lists the first, and not the second."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.pages: dict[str, tuple[str, str]] = {}  # path -> page, and its policy
        self.listed, self.unlisted = (f"http://{host}:{self.server_address[1]}" for host in ("127.0.0.1", "localhost"))


class _Pages(BaseHTTPRequestHandler):
    server: OtherSite

    def do_GET(self) -> None:
        page, policy = self.server.pages.get(self.path, ("", ""))
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def other_site() -> Iterator[OtherSite]:
    """Serve pages of another site, that tests write."""
    with OtherSite() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def site(demo_data: Path, other_site: OtherSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a copy of the sample. A test may add to it and change data that no other test uses."""
    data = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(demo_data, data, symlinks=True)
    limits = [word for name in ("read", "write", "upload") for word in (f"--{name}-limit", "")]
    origins = ["--cors-origins", other_site.listed]
    with serving("serve", "--data", data, "--proxies", 1, *limits, *origins) as server:
        yield Site(server.port, server.process, data=data)


@pytest.fixture(scope="session")
def nginx(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run nginx in front of the site, with the example of the documentation; return its address."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no nginx here: apt-get install nginx-light")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    (example,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL)
    passed_whole = example.replace("/films", "/whole").replace("8000/;", "8000;")
    locations = f"{example}\n{passed_whole}".replace("127.0.0.1:8000", f"127.0.0.1:{site.port}")
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"master_process off; pid {folder}/pid; error_log {folder}/errors; events {{}}"
        f" http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}"
    )
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "errors")]
    subprocess.run(command, check=True)  # returns once the port is open
    yield f"http://127.0.0.1:{port}"
    subprocess.run([*command, "-s", "stop"], check=True)


@pytest.fixture
def under_path(nginx: str, request: pytest.FixtureRequest) -> UnderPath:
    """Return the site under a path that nginx removes from requests, ``/films``, or passes on, ``/whole``."""
    path = getattr(request, "param", "/films")
    return UnderPath(nginx + path, path)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Return a function that opens a path of the site in a new window; see ``visiting``."""
    with visiting(browser, site.address) as visit:
        yield visit


@pytest.fixture
def visit_under_path(browser: Browser, under_path: UnderPath) -> Iterator[Visit]:
    """Return a function that opens a path of the site behind nginx in a new window; see ``visiting``."""
    with visiting(browser, under_path.address) as visit:
        yield visit


@contextmanager
def visiting(browser: Browser, address: str) -> Iterator[Visit]:
    """Yield a function that opens a path below an address in a new window, at a width and in a theme.

    At the end, assert that no page logged an error or sent a request to any other address. With ``refused``, pages may
    log refused requests.
    """
    wrong: list[str] = []
    contexts = []

    def open_at(
        path: str,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "dark",
        scripts: bool = True,
        refused: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: _is_fine(said, refused=refused) or wrong.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
        page.on("request", lambda request: _is_ours(request.url, address) or wrong.append(f"asked {request.url}"))
        page.goto(address + path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert wrong == []


def _is_fine(said: ConsoleMessage, *, refused: bool) -> bool:
    return said.type not in {"error", "warning"} or (refused and said.text.startswith("Failed to load resource"))


def _is_ours(url: str, address: str) -> bool:
    return urlsplit(url).scheme in {"data", "about"} or url.startswith((f"{address}/", "blob:"))


def assert_accessible(page: Page) -> None:
    """Assert that no rule of axe-core is violated and nothing is wider than the window."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
