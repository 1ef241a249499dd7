"""Campaign -> JSON Schema, for editors: `python -m dialer.campaign.schema campaigns/campaign.schema.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dialer.campaign.campaign import Campaign


def campaign_schema() -> dict[str, Any]:
    """Return the JSON Schema of campaign.toml."""
    schema = Campaign.model_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        _tidy(definition)
    # The folder's name stands in for it.
    schema["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "campaign.toml",
        "description": "What a campaign of dialer says: which list, which agent, how fast, when to stop.",
    }


def write_schema(file: Path) -> None:
    """Write the JSON Schema to `file`, with the folders it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(campaign_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _tidy(definition: dict[str, Any]) -> None:
    """Leave out what only Python means: null for a key that is not there, and names made from names."""
    for name, field in definition["properties"].items():
        field["title"] = name
        if field.get("default", ...) is None:
            del field["default"]
        choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            del field["anyOf"]
            field.update(choices[0])


if __name__ == "__main__":
    write_schema(Path(sys.argv[1] if len(sys.argv) > 1 else "campaigns/campaign.schema.json"))
