"""`/livez` and `/readyz`: the status code is the contract. Both are open: they name what is wrong, not where it is."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from pydantic_core import to_json
from starlette.responses import Response

from adapters.errors import Unavailable
from orchestrator.api import schemas
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 2.3
RETRY_AFTER_S = 2


class HealthRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reported: dict[str, str] = {}

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(tags=["health"])
        router.get("/livez", **schemas.LIVE)(self.live)
        router.get("/readyz", **schemas.READY)(self.ready)
        return router

    async def live(self) -> Response:
        """Whether the process answers. Asks no other server."""
        return Response(to_json({"status": "alive"}), media_type="application/json")

    async def ready(self, request: Request, verbose: Annotated[str | None, Query()] = None) -> Response:
        """Whether MongoDB, Redis and every subscription are well; with `?verbose` each check by itself."""
        checks = await self._checks()
        wrong = {name: found for name, found in checks.items() if found}
        shown = {name: found or "ok" for name, found in checks.items()}
        if not wrong:
            details = {} if verbose is None else {"checks": shown}
            return Response(to_json({"status": "ready", **details}), media_type="application/json")
        extra = {"checks": shown if verbose is not None else wrong}
        said = "; ".join(f"{name}: {found}" for name, found in wrong.items())
        raise Problem(Kind.NOT_READY, said, headers={"Retry-After": str(RETRY_AFTER_S)}, extra=extra)

    async def _checks(self) -> dict[str, str | None]:
        mongo, bus = await asyncio.gather(_within(self._mongo()), _within(self._bus()))
        return {"mongodb": mongo, "bus": bus, "service": self._services.not_ready()}

    async def _mongo(self) -> str | None:
        try:
            await self._services.engine.store.ping()
        except Unavailable as error:
            self._report("mongodb", str(error))
            return "has no primary that answers"
        self._report("mongodb", "")
        return None

    async def _bus(self) -> str | None:
        problems = await self._services.bus.problems()
        self._report("bus", "; ".join(problems))
        return "; ".join(problem.partition(": ")[0] for problem in problems) or None

    def _report(self, what: str, reason: str) -> None:
        """The whole reason goes to the log, once and not with every probe."""
        if reason and self._reported.get(what) != reason:
            log.warning("not-ready", what=what, reason=reason)
        self._reported[what] = reason


async def _within(check: Awaitable[str | None]) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check
    except TimeoutError:
        return "does not answer in time"
