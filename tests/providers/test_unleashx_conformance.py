"""UnleashX passes what every provider passes, whatever its lists leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

pytest.register_assert_rewrite("tests.providers.conformance")

from tests.providers.conformance import Conformance  # noqa: E402

pytestmark = pytest.mark.anyio


class TestUnleashX(Conformance):
    provider = "unleashx"
    agent = "962"


class TestUnleashXWithBareLists(Conformance):
    """Rows without input data, TRACK_ID that is no execution id, dates without a zone, small pages."""

    provider = "unleashx"
    agent = "962"
    config = replace(
        Conformance.config,
        metadata_searchable=False,
        track_id_is_execution_id=False,
        dates_with_zone=False,
        page_size_max=20,
        newest_first=False,
    )
    options: ClassVar = {"time_zone": "UTC"}


class TestUnleashXByBearer(Conformance):
    """Another header for the token, and a pagination block in every list."""

    provider = "unleashx"
    agent = "962"
    config = replace(Conformance.config, auth_styles=("bearer",), pagination_block=True)
    options: ClassVar = {"auth_style": "bearer", "page_size": 15}
