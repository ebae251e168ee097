"""Generated blocks of e-mail, as Liquid, and people to read them."""

from hypothesis import strategies as st

from transforms.content.render import Person

TEXTS = {"profile.first_name": ["Ada", "Bo <b>", "O'Neil & Sons", "{{ x }}"], "profile.city": ["Berlin", "Köln"]}
NUMBERS = ["computed.orders", "profile.age"]
SEGMENTS = ["vip", "lapsing"]

_words = st.sampled_from(["a", "Hi ", "<p>x</p>", "ä & b\n", "50 % "])
_field = st.sampled_from(sorted(TEXTS))


def conditions(*, with_or: bool) -> st.SearchStrategy[str]:
    """What may stand in an `if`: one question, or several joined without parentheses."""
    one = st.one_of(
        st.sampled_from([f"segments contains '{name}'" for name in SEGMENTS]),
        st.builds(lambda name, word: f"{name} == '{word}'", _field, st.sampled_from(["Berlin", "Ada"])),
        st.builds(lambda name, word: f"{name} != '{word}'", _field, st.sampled_from(["Berlin", "Ada"])),
        st.builds(
            lambda name, op, n: f"{name} {op} {n}",
            st.sampled_from(NUMBERS),
            st.sampled_from(["==", "<", "<=", ">", ">="]),
            st.integers(-1, 4),
        ),
        st.builds(lambda name: name, st.sampled_from([*TEXTS, *NUMBERS])),
        st.builds(
            lambda name, op: f"{name} {op} blank", st.sampled_from([*TEXTS, *NUMBERS]), st.sampled_from(["==", "!="])
        ),
    )
    joins = [" and ", " or "] if with_or else [" and "]
    parts = st.lists(st.tuples(one, st.sampled_from(joins)), min_size=1, max_size=3)
    return parts.map(
        lambda found: "".join(text + (join if i < len(found) - 1 else "") for i, (text, join) in enumerate(found))
    )


def _shown() -> st.SearchStrategy[str]:
    value = st.sampled_from([*TEXTS, *NUMBERS])
    filters = st.sampled_from(["", " | default: 'there'"])
    return st.builds(lambda name, rest: f"{{{{ {name}{rest} }}}}", value, filters)


def blocks(*, with_or: bool = True) -> st.SearchStrategy[str]:
    """Templates with text, values, and choices up to three deep."""
    condition = conditions(with_or=with_or)

    def choice(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{{% if {} %}}{}{{% endif %}}".format, condition, inner),
            st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, condition, inner, inner),
            st.builds(
                "{{% if {} %}}{}{{% elsif {} %}}{}{{% else %}}{}{{% endif %}}".format,
                condition,
                inner,
                condition,
                inner,
                inner,
            ),
            st.builds("{{% unless {} %}}{}{{% else %}}{}{{% endunless %}}".format, condition, inner, inner),
            st.builds(
                "{{% case profile.city %}}{{% when 'Berlin', 'Köln' %}}{}{{% else %}}{}{{% endcase %}}".format,
                inner,
                inner,
            ),
        )

    part = st.recursive(st.one_of(_words, _shown()), choice, max_leaves=6)
    return st.lists(part, min_size=1, max_size=4).map("".join)


def people() -> st.SearchStrategy[Person]:
    """Somebody whose every value may be missing; 0 is a value."""
    texts = {name.partition(".")[2]: st.sampled_from(words) for name, words in TEXTS.items()}
    profile = st.fixed_dictionaries({}, optional={**texts, "age": st.integers(0, 3)})
    computed = st.fixed_dictionaries({}, optional={"orders": st.integers(0, 4)})
    return st.builds(Person, profile, computed, st.frozensets(st.sampled_from(SEGMENTS)))
