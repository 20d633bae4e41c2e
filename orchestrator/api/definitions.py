"""`/v1/definitions`: the sagas that this service knows, in every version, as JSON and as Mermaid diagrams."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from orchestrator.api import schemas_definitions as schemas
from orchestrator.api.answers import answer
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.services import Services
from orchestrator.api.view import Json
from sagas import Saga
from sagas.export import mermaid, to_json


class DefinitionQuery(BaseModel):
    """Which one to show."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1, lt=2**31, description="This version instead of the newest.")


class DefinitionRoutes:
    """The routes, over the services."""

    def __init__(self, services: Services) -> None:
        self._definitions = services.engine.definitions

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1", tags=["definitions"])
        router.get("/definitions", **schemas.LIST)(self.list)
        router.get("/definitions/{name}", **schemas.GET)(self.get)
        return router

    async def list(self) -> Response:
        """Every definition in every version, by name and version."""
        return answer({"items": [summary(saga) for saga in self._definitions]})

    async def get(self, name: str, query: Annotated[DefinitionQuery, Query()]) -> Response:
        """The whole definition, in its newest version or another one that is still known."""
        versions = [saga for saga in self._definitions if saga.name == name]
        wanted = query.version or max((saga.version for saga in versions), default=0)
        for saga in versions:
            if saga.version == wanted:
                return answer(whole(saga, versions))
        known = ", ".join(str(saga.version) for saga in versions)
        said = f"Its known versions: {known}." if known else "No saga of this name is known here."
        raise Problem(Kind.DEFINITION_NOT_FOUND, said)


def whole(saga: Saga, versions: Sequence[Saga]) -> Json:
    """A definition as it is shown, with every known version of it."""
    return to_json(saga) | {"versions": [one.version for one in versions], "mermaid": mermaid(saga)}


def summary(saga: Saga) -> Json:
    """A definition as it is listed."""
    return {
        "name": saga.name,
        "version": saga.version,
        "fingerprint": saga.fingerprint,
        "steps": [step.name for step in saga.steps],
        "pivot": saga.steps[saga.pivot].name if saga.pivot >= 0 else None,
    }
