"""The service's own pages: they load nothing from elsewhere, run nothing inline, and work below any path."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from orchestrator.api.problems import Kind
from support.api import Api, running

PAGES = ("/docs", "/asyncapi", "/problems", *(kind.type for kind in Kind))
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
LINK = re.compile(r'(?:href|src)="([^"]+)"')


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_and_run_only_what_this_service_serves(api: Api, path: str) -> None:
    answer = await api.client.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=|https?://|//\w", answer.text)


@pytest.mark.parametrize("root", ["", "/below/this"])
@pytest.mark.parametrize("path", PAGES)
async def test_every_link_of_a_page_leads_somewhere_below_any_path(api: Api, path: str, root: str) -> None:
    transport = httpx.ASGITransport(app=api.app, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://saga") as client:
        page = await client.get(f"{root}{path}", headers=HTML)
        for link in LINK.findall(page.text):
            if not link.startswith(("data:", "#")):
                target = page.url.join(link)
                assert str(target).startswith(f"http://saga{root}/")
                assert (await client.get(target)).status_code == 200, link


async def test_asyncapi_is_a_page_for_browsers_and_json_for_programs(api: Api) -> None:
    program = await api.client.get("/asyncapi")
    assert program.headers["Content-Type"] == "application/json"
    assert program.json() == (await api.client.get("/asyncapi.json")).json()
    page = await api.client.get("/asyncapi", headers=HTML)
    assert page.headers["Vary"] == program.headers["Vary"] == "Accept"
    for message in program.json()["components"]["messages"]:
        assert f"<code>{message}</code>" in page.text


async def test_every_type_of_problem_leads_to_its_page(api: Api) -> None:
    for kind in Kind:
        page = (await api.client.get(kind.type)).text
        assert kind.type in page
        assert str(kind.status) in page
    answer = await api.client.get("/nothing")
    assert (await api.client.get(answer.json()["type"])).status_code == 200


async def test_the_scripts_may_be_kept_and_the_documents_may_not(api: Api) -> None:
    assert "max-age" in (await api.client.get("/docs/swagger-ui.js")).headers["Cache-Control"]
    assert (await api.client.get("/openapi.json")).headers["Cache-Control"] == "no-store"
