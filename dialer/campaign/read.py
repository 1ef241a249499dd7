"""campaign.toml -> Campaign: found by name, checked whole, every mistake told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from dialer.base.errors import BadInput
from dialer.base.mistakes import Mistake, mistakes_of, refuse, unknown_key
from dialer.base.settings import Settings
from dialer.base.toml import TomlFile, read_toml, shown
from dialer.base.words import did_you_mean
from dialer.campaign.campaign import Campaign
from dialer.campaign.values import OnUnknown

FILE_NAME = "campaign.toml"


def read_campaign(reference: str | Path, settings: Settings) -> Campaign:
    """Return the campaign that `reference` leads to: a name, a folder or a campaign.toml.

    A name is a folder of `settings.campaigns`, or what a campaign.toml there calls itself.

    Raises:
        BadInput: there is no such campaign, or a line per mistake in it; no list is opened.
    """
    toml = read_toml(_file_of(reference, settings).absolute())
    mistakes: list[Mistake] = []
    values = _for_model(toml, mistakes)
    campaign = None
    try:
        campaign = Campaign.model_validate(values, context={"lines": toml.lines})
    except ValidationError as error:
        wrong = mistakes_of(error, Campaign)
        # A value that never will be right is not one that is to come.
        mistakes = [*wrong, *(later for later in mistakes if later.path not in {one.path for one in wrong})]
    if campaign is None or mistakes:
        refuse(mistakes, toml.where)
    _refuse_taken_name(campaign, settings)
    return campaign


def known_campaigns(settings: Settings) -> list[str]:
    """Return the names of the folders in `settings.campaigns` that hold a campaign.toml, sorted."""
    return [file.parent.name for file in _files(settings)]


def _files(settings: Settings) -> list[Path]:
    return sorted(settings.campaigns.glob(f"*/{FILE_NAME}"))


def _file_of(reference: str | Path, settings: Settings) -> Path:
    path = Path(reference).expanduser()
    by_name, by_path = [settings.campaigns / path / FILE_NAME], [path, path / FILE_NAME]
    is_path = "/" in str(reference)
    for candidate in by_path + by_name if is_path else by_name + by_path:
        if candidate.is_file():
            return candidate
    if path.is_dir():
        raise BadInput(f"{shown(path)}: this folder holds no {FILE_NAME}")
    named = [file for file, name in _names(settings) if name == str(reference)]
    if len(named) == 1:
        return named[0]
    known = known_campaigns(settings)
    there = f"known are {', '.join(known)}" if known else "there is none; `dialer init` writes an example"
    raise BadInput(
        f"{reference}: there is no such campaign in {shown(settings.campaigns)}, {there}"
        f"{did_you_mean(str(reference), known)}"
    )


def _names(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield what the campaigns here call themselves; files that cannot be read are passed over."""
    for file in _files(settings):
        try:
            name = tomllib.loads(file.read_text("utf-8-sig")).get("name", file.parent.name)
        except (OSError, ValueError, RecursionError):
            continue
        yield file, str(name)


def _refuse_taken_name(campaign: Campaign, settings: Settings) -> None:
    # A copied folder with the old name in it would pour its list into the other campaign.
    for file, name in _names(settings):
        if name == campaign.name and not file.samefile(campaign.file):
            raise BadInput(
                f"{campaign.where('name')}: name = {name!r} is taken by {shown(file)}; give it another"
            )


def _for_model(toml: TomlFile, mistakes: list[Mistake]) -> dict[str, Any]:
    """Return the file's values as Campaign takes them; what it must not see goes to `mistakes`."""
    values = dict(toml.values)
    if "file" in values:
        mistakes.append(
            unknown_key(("file",), Campaign.model_fields, " here; lists stand under [list] as files")
        )
    # Written last in a file, as people do, `on_unknown` is a key of [stop] to TOML.
    stop = values.get("stop")
    said = stop.get("on_unknown") if isinstance(stop, dict) else None
    if said in get_args(OnUnknown) and values.setdefault("on_unknown", said) != said:
        mistakes.append(Mistake(("stop", "on_unknown"), "on_unknown is said twice, and differently"))
    return {"name": toml.file.parent.name, **values, "file": toml.file}
