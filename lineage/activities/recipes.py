"""Recipes as manifests hold them: read back, joined to another version's, written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import cast

from lineage.activities import predicates
from lineage.errors import BadInput
from lineage.settings import Recipe

_OPTIONAL = ("where", "without", "revert", "of")


def recipe_of(manifest: Mapping[str, object]) -> Recipe:
    """Return the recipe that a manifest was built by."""
    values = cast(Mapping[str, object], manifest["recipe"])
    named = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    # a version of before there was review asked nothing of it
    named.setdefault("require_final", None)
    return Recipe(**named)  # type: ignore[arg-type]


def joined(base: Recipe, asked: Recipe, name: str) -> Recipe:
    """Return a version's recipe with further predicates joined to its own.

    Parameters
    ----------
    base
        The version's recipe.
    asked
        ``where``, ``without`` and ``revert``, and nothing else.
    name
        The version.

    Raises
    ------
    BadInput
        ``recipe``: other keys, or a version that was built with another ``revert``.
    """
    own = Recipe(where=asked.where, without=asked.without, revert=asked.revert, of=asked.of)
    odd = [f.name for f in fields(Recipe) if getattr(asked, f.name) != getattr(own, f.name)]
    if odd:
        raise BadInput(
            "recipe",
            f"beside of: {asked.of}, build has {', '.join(odd)}, which are that version's to say",
            hint="beside of stand where, without and revert alone",
        )
    if base.without and asked.without and base.revert != asked.revert:
        raise BadInput(
            "recipe",
            f"version {name} was built with revert: {base.revert}, asked is {asked.revert}",
            hint="both ways at once have no meaning; begin from the version that it is of",
        )
    return replace(
        base,
        where=predicates.joined(base.where, asked.where),
        without=(*base.without, *asked.without),
        revert=asked.revert if asked.without else base.revert,
        of=name,
    )


def words_of(recipe: Recipe) -> dict[str, object]:
    """Return a recipe as its manifest has it; predicates stand there only where there are some."""
    told = {f.name: _plain(getattr(recipe, f.name)) for f in fields(recipe)}
    return {name: value for name, value in told.items() if value or name not in _OPTIONAL}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
