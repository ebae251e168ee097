"""The rules of accounts, compiled: a program for the account, and one for what ANY and ALL ask of each user.

A rule inside ANY or ALL becomes two segments of people, "it holds" and "it does not". When a user enters one of them
the account is told, with the events that made it so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from transforms.segments.compiler import compile_account_rules, compile_program
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions, references
from transforms.segments.language.walk import walk
from transforms.segments.mentions import Mentions, Reader
from transforms.segments.nodes.quantifier import quantifier_name
from transforms.segments.program import Program


@dataclass(frozen=True)
class AccountRules:
    """`account` takes an account's events; `users` is stepped for each of its users.

    `asked` leads from a segment of `users` to (name of the quantifier, whether the rule holds in that segment),
    `mentions` from a quantifier to what its rule reads. `fingerprint` tells them from those of other definitions.
    """

    account: Program
    users: Program
    asked: dict[str, tuple[str, bool]]
    mentions: dict[str, Mentions]
    fingerprint: str


@lru_cache(maxsize=4)
def compile_accounts(definitions: ast.Definitions) -> AccountRules:
    """Compiles the definitions of accounts, and as much of those of people as they refer to."""
    rules = {quantifier_name(rule): rule for rule in _quantified(definitions)}
    names = frozenset(name for rule in rules.values() for name in references(rule))
    needed = needed_definitions(definitions.about("users"), names)
    segments, asked = list(needed.segments), {}
    for name, rule in rules.items():
        for holds, condition in ((True, rule), (False, ast.Not(rule))):
            segment = f"\0{name} {holds}"
            segments.append(ast.SegmentDefinition(segment, "", condition))
            asked[segment] = (name, holds)
    users = compile_program(ast.Definitions(tuple(segments), needed.traits))
    reader = Reader(definitions)
    mentions = {name: reader.mentions(rule) for name, rule in rules.items()}
    account = compile_account_rules(definitions)
    return AccountRules(account, users, asked, mentions, _fingerprint(account.definitions, needed))


def _fingerprint(*definitions: ast.Definitions) -> str:
    names = [f"segment {segment.name} {segment.version}" for found in definitions for segment in found.segments]
    names += [f"trait {trait.name} {trait.version}" for found in definitions for trait in found.traits]
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:16]


def _quantified(definitions: ast.Definitions) -> list[ast.Condition]:
    trees = [segment.when for segment in definitions.about("accounts").segments if segment.when is not None]
    return [node.item for tree in trees for node, _ in walk(tree) if isinstance(node, ast.Quantified)]
