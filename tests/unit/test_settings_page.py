"""The page of settings: made from the code, complete, and each setting has its bounds."""

import pytest
from pydantic.fields import FieldInfo

from cli.settings_page import as_markdown
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings
from support.source import ROOT

FIELDS = [*Settings.model_fields.items(), *ParticipantSettings.model_fields.items()]


def test_the_page_is_what_the_code_says() -> None:
    # Made anew by: python -m cli.settings_page > docs/settings.md
    assert (ROOT / "docs" / "settings.md").read_text() == as_markdown()


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[name for name, _ in FIELDS])
def test_every_setting_says_what_it_is_and_every_number_is_bounded(name: str, field: FieldInfo) -> None:
    assert field.description, name
    assert field.description.endswith("."), name
    if field.annotation in (int, float):
        bounds = {end for one in field.metadata for end in ("ge", "le") if getattr(one, end, None) is not None}
        assert bounds == {"ge", "le"}, name
