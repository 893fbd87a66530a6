"""/docs: all addresses of the server as one page, made of its OpenAPI description, with nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>narrate: addresses for programs</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}h2{margin-top:2.5rem}
h3{font-family:monospace;font-size:1rem;margin:2rem 0 0}table{border-collapse:collapse;width:100%}
td{border-top:1px solid #8888;padding:.3rem .6rem .3rem 0;vertical-align:top}code{font-size:.95em}</style>
<h1>narrate: addresses for programs</h1>
<p>For tools, the same as <a href="openapi.json">openapi.json</a>.</p>"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def router(app: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @cache
    def page() -> str:
        return _HEAD + "".join(_page(app.openapi()))

    @routes.get("/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": POLICY})

    return routes


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["more"])[0]
            by_tag.setdefault(tag, []).append("".join(_operation(path, method, operation, document)))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3>{method.upper()} {escape(path)}</h3><p>{escape(operation.get('description', ''))}</p>"
    rows = [
        _row(each["name"], each.get("schema", {}), each.get("description", ""), needed=each.get("required", False))
        for each in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = _followed(content.get("schema", {}), document)
        needed = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            rows.append(_row(name, field, field.get("description", ""), needed=name in needed))
    if rows:
        yield f"<table>{''.join(rows)}</table>"


def _row(name: str, schema: Mapping[str, Any], what: str, *, needed: bool) -> str:
    usual = schema.get("default")
    more = "" if usual is None else f" Otherwise <code>{escape(str(usual))}</code>."
    mark = " <strong>needed</strong>" if needed else ""
    return f"<tr><td><code>{escape(name)}</code>{mark}<td>{escape(_kind(schema))}<td>{escape(what)}{more}"


def _kind(schema: Mapping[str, Any]) -> str:
    """What values a field has, in a few words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"] if each.get("type") != "null"))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    return str(schema.get("type", "object"))


def _followed(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
