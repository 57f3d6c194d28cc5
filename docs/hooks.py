"""MkDocs hooks: the reference pages, the documents of the repository's root, and a check that no page needs a host.

Reference pages are written from the code they describe and are not committed: commands and settings from click,
endpoints from the OpenAPI document of a server on a committed snapshot.
"""

from __future__ import annotations

import html
import inspect
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SNAPSHOT = ROOT / "tests" / "golden" / "v4"
ROOT_PAGES = {  # page of the site -> document in the repository
    "architecture.md": "ARCHITECTURE.md",
    "benchmarks.md": "benchmarks/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "index.md": "README.md",
    "security.md": "SECURITY.md",
}
PICTURES = {"training.svg": "benchmarks/training.svg"}
SETTINGS_HEAD = """# Settings

Every environment variable that an option reads. An option given on the command line wins over its variable.
A value that cannot be used ends the command with one line that names it.

| Variable | Option | Default | Meaning | Command |
|---|---|---|---|---|"""
ENDPOINTS_HEAD = """# Endpoints

Generated from the OpenAPI document, which every server has at `/api/v1/openapi.json`; at `/api/v1/docs` it can be
tried out. Genres and the scale of ratings are those of the snapshot that is served; ratings from 0.5 to 5 here.
The [guide](../http-api.md) has what all endpoints share: errors, `ETag`, pages, API keys.
"""

Json = Mapping[str, Any]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are not in docs/."""
    pages = {
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "reference/endpoints.md": endpoints_page(openapi_document()),
        "reference/python.md": python_page(),
        **{page: (ROOT / document).read_text() for page, document in ROOT_PAGES.items()},
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    for name, picture in PICTURES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point links between documents at pages of the site; of a link to source code, keep the text."""
    return site_links(markdown, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Fail if a page would load anything from another host.

    Raises:
        PluginError: names the page and the address.
    """
    for file in sorted(Path(config.site_dir).rglob("*.html")):
        for address in loaded_addresses(file.read_text()):
            if re.match("(https?:)?//", address):
                raise PluginError(f"{file.relative_to(config.site_dir)} loads {address}: pages must ask no other host")


def loaded_addresses(page: str) -> list[str]:
    """Return the addresses that a browser loads by itself when it opens a page."""
    linked = re.findall(r"<link\b(?![^>]*rel=\"?(?:canonical|next|prev))[^>]*\bhref=\"?([^\">\s]+)", page)
    return linked + re.findall(r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=\"?([^\">\s]+)", page)


def site_links(markdown: str, page: str) -> str:
    """Return the Markdown of a page with the links between files of the repository made links between pages."""
    here = posixpath.dirname(ROOT_PAGES.get(page, f"docs/{page}"))
    sites = {document: name for name, document in {**ROOT_PAGES, **PICTURES}.items()}

    def led(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(here, target))
        if not path.startswith("docs/") and path not in sites:
            return text.removeprefix("!")[1:-1]
        to = sites.get(path, path.removeprefix("docs/"))
        return f"{text}({posixpath.relpath(to, posixpath.dirname(page) or '.')}{anchor or ''})"

    return re.sub(r"(!?\[[^\]]*\])\(([^)#:\s]+)(#[^)\s]*)?\)", led, markdown)


def commands(group: click.Group, parent: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield every command below a group that is not a group itself, with a context that knows its full name."""
    for name, command in group.commands.items():
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            yield from commands(command, context)
        else:
            yield command, context


def all_commands() -> list[tuple[click.Command, click.Context]]:
    """Return every command of ``posterity``."""
    from posterity.cli.main import main

    return list(commands(main, click.Context(main, info_name="posterity")))


def commands_page() -> str:
    """Return the reference of the command line: each command's help, usage and options."""
    found = all_commands()
    parts = ["# Commands\n\nEvery command of `posterity`. Each has `--help`; most that print data have `--json`.\n"]
    parts.append("| Command | Purpose |\n|---|---|")
    parts += [
        f"| [`{context.command_path}`](#{_slug(context)}) | {_cell(command.get_short_help_str(200))} |"
        for command, context in found
    ]
    for command, context in found:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        parts.append(
            f"\n## {context.command_path} {{ #{_slug(context)} }}\n\n{_text(inspect.cleandoc(command.help or ''))}\n"
        )
        parts.append(f"```text\n{usage}\n```\n\n| Option | Default | Meaning |\n|---|---|---|")
        parts += [_option_row(option, context) for option in options(command)]
    return "\n".join(parts) + "\n"


def options(command: click.Command) -> list[click.Option]:
    """Return the options of a command that its help shows."""
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def settings_page() -> str:
    """Return the table of every variable, those of ``posterity serve`` first."""
    rows: dict[str, tuple[str, list[str]]] = {}
    for command, context in sorted(all_commands(), key=lambda each: each[0].name != "serve"):
        for option in options(command):
            if option.envvar is not None:
                row = f"`{option.envvar}` | {_flags(option)} | {_default(option, context)} | {_cell(option.help or '')}"
                rows.setdefault(str(option.envvar), (row, []))[1].append(f"`{context.command_path[10:]}`")
    few = {name: ", ".join(used) if len(used) < 4 else f"{used[0]} and others" for name, (_, used) in rows.items()}
    return "\n".join([SETTINGS_HEAD, *(f"| {row} | {few[name]} |" for name, (row, _) in rows.items()), ""])


def python_page() -> str:
    """Return the reference of the methods that ``posterity.open`` and ``posterity.Client`` share."""
    from posterity.interface import MovieService

    parts = [f"# Python interface\n\n{_docstring(MovieService)}\n"]
    for name, method in vars(MovieService).items():
        if not name.startswith("_"):
            given = list(inspect.signature(method).parameters.values())[1:]
            kinds = [each.kind for each in given]
            names = [f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name for each in given]
            words = [
                each if of.default is of.empty else f"{each}={of.default!r}"
                for each, of in zip(names, given, strict=True)
            ]
            if inspect.Parameter.KEYWORD_ONLY in kinds:
                words.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
            parts.append(f"\n## {name}\n\n```text\n{name}({', '.join(words)})\n```\n\n{_docstring(method)}\n")
    return "\n".join(parts)


def _docstring(of: Any) -> str:
    """Return a docstring as Markdown, its indented lists as bullets."""
    text = inspect.getdoc(of) or ""
    return re.sub(r"^ {4}([\w, ]+):", r"- `\1`:", _text(text).replace("Raises:\n", "Raises:\n\n"), flags=re.MULTILINE)


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of a server on a committed snapshot."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from index.movie_index import MovieIndex
    from server.app import create_app
    from server.config import ServerConfig
    from server.reference.openapi import openapi

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        shutil.copytree(SNAPSHOT, data, symlinks=True)
        return openapi(create_app(ServerConfig(data)), MovieIndex.open(data))


def endpoints_page(document: Json) -> str:
    """Return the reference of the HTTP API: each endpoint's parameters, body and response, and the types in them."""
    found = [(path, method, each) for path, of in document["paths"].items() for method, each in of.items()]
    parts = [ENDPOINTS_HEAD]
    for tag in document["tags"]:
        tagged = [each for each in found if tag["name"] in each[2]["tags"]]
        parts.append(f"\n## {tag['name']}\n\n| Endpoint | Purpose |\n|---|---|")
        parts += [
            f"| [`{method.upper()} {path}`](#{each['operationId']}) | {_cell(each['summary'])} |"
            for path, method, each in tagged
        ]
        for path, method, each in tagged:
            parts += _endpoint(path, method, each)
    parts.append("\n## Types\n")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"\n### {name} {{ #{name} }}\n", _text(schema.get("description", "")), "", *_members(schema)]
    return "\n".join(parts) + "\n"


def _endpoint(path: str, method: str, endpoint: Json) -> Iterator[str]:
    short = path.removeprefix("/api/v1")
    yield f"\n### {method.upper()} {path} {{ #{endpoint['operationId']} data-toc-label='{method.upper()} {short}' }}\n"
    yield _text(f"{endpoint['summary']} {endpoint.get('description', '')}") + "\n"
    if endpoint["parameters"]:
        yield "| Parameter | In | Type | Default | Meaning |\n|---|---|---|---|---|"
        for each in endpoint["parameters"]:
            schema = _of_any_snapshot(each["name"], each["schema"])
            meaning = each.get("description") or schema.get("description", "")
            yield f"| `{each['name']}` | {each['in']} | {_type(schema)} | {_value(schema)} | {_cell(meaning)} |"
        yield ""
    for media, content in endpoint.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{media}`: {_type(content['schema'])}\n"
    right, *wrong = sorted(endpoint["responses"].items())
    for media, content in right[1].get("content", {}).items():
        yield f"Response {right[0]}, `{media}`: {_type(content['schema'])}\n"
    key = "an API key, " if endpoint.get("security") else ""
    yield f"Needs {key.rstrip(', ')}.\n" if key else ""
    yield f"Errors: {', '.join(status for status, _ in wrong)}\n"


def _members(schema: Json) -> Iterator[str]:
    if "properties" not in schema:
        yield _type({key: value for key, value in schema.items() if key != "description"}) + "\n"
        return
    yield "| Member | Type | Default | Meaning |\n|---|---|---|---|"
    for name, member in schema["properties"].items():
        of = _of_any_snapshot(name, member)
        default = "required" if name in schema.get("required", ()) else _value(of)
        yield f"| `{name}` | {_type(of)} | {default} | {_cell(of.get('description', ''))} |"


def _of_any_snapshot(name: str, schema: Json) -> Json:
    return {**schema, "items": {"type": "string"}} if name == "genre" else schema


def _type(schema: Json) -> str:
    """Return a JSON schema in words; a reference as a link to its type."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema.get("anyOf", schema.get("oneOf")))))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object":
        of = schema.get("additionalProperties")
        if "properties" in schema:
            return "form of " + ", ".join(f"`{name}` ({_type(of)})" for name, of in schema["properties"].items())
        return f"object of {_type(of)}" if isinstance(of, dict) else "object"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:,}" if high >= 10_000 else f"{kind}, {low:g} to {high:g}"
    return f"{kind}, at least {low:g}" if low is not None else kind


def _value(schema: Json) -> str:
    return "" if schema.get("default") in (None, []) else f"`{str(schema['default']).lower()}`"


def _option_row(option: click.Option, context: click.Context) -> str:
    variable = f" Variable: `{option.envvar}`." if option.envvar else ""
    return f"| {_flags(option, context)} | {_default(option, context)} | {_cell(option.help or '')}{variable} |"


def _flags(option: click.Option, context: click.Context | None = None) -> str:
    takes = "" if option.is_flag or context is None else f" {option.make_metavar(context)}"
    return ", ".join(f"`{flag}{takes}`" for flag in (*option.opts, *option.secondary_opts))


def _default(option: click.Option, context: click.Context) -> str:
    extra = option.get_help_extra(context)
    if "required" in extra:
        return "required"
    if option.secondary_opts:
        return "`on`" if option.default else "`off`"
    shown = extra.get("default", "")
    return _cell(shown.strip("()")) if shown.startswith("(") else f"`{shown}`" if shown else ""


def _slug(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _text(text: str) -> str:
    """Return help or a docstring as Markdown: in double backticks there, in single ones here."""
    return html.escape(text.replace("``", "`").replace("\b\n", ""), quote=False)


def _cell(text: str) -> str:
    return _text(" ".join(text.split())).replace("|", "\\|")
