"""`python -m pipelines.preview`: who is in a segment, how it has lived and why, before it is used. Writes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from pipelines.options.preview import PreviewOptions, Rules, load_rules, parse_preview_options
from pipelines.watching import Wait, wait_for_change
from pipelines.words.preview_json import preview_json, story_json
from pipelines.words.preview_text import preview_text
from pipelines.words.progress import Progress
from pipelines.words.story_text import story_text
from schemas.errors import DefinitionErrors, InputError, UsageError
from schemas.text import printable, printable_json
from transforms.explain.preview import make_preview
from transforms.explain.question import Question
from transforms.explain.story import Story, tell
from transforms.explain.words import instant_words

if TYPE_CHECKING:
    from pipelines.local.resolve import ResolvedEvents

_CLEAR_SCREEN = "\x1b[2J\x1b[H"


def main(arguments: Sequence[str] | None = None, wait: Wait = wait_for_change) -> int:
    """Runs the command; returns its exit status. `wait`: how --watch learns that a file was saved."""
    try:
        options = parse_preview_options(sys.argv[1:] if arguments is None else arguments)
        rules = load_rules(options) if not options.watch else None
    except (UsageError, DefinitionErrors) as error:
        print(error, file=sys.stderr)
        return 2
    from pipelines.local.resolve import resolve_events  # with numpy and Arrow: a mistake is told before

    progress = Progress()
    try:
        with resolve_events(
            options.inputs,
            options.parser(),
            options.as_of,
            progress,
            stitch_window_us=options.stitch_window_us,
            max_merges=options.max_merges,
        ) as events:
            if rules is None:
                return _watch(options, events, progress, wait)
            return _show(options, rules, events, progress, sys.stdout)
    except InputError as error:
        progress.clear()
        print(error, file=sys.stderr)
        return 1


def _show(options: PreviewOptions, rules: Rules, events: ResolvedEvents, progress: Progress, out: TextIO) -> int:
    """Answers once."""
    answer = _profile if options.profile is not None else _segment
    try:
        text = answer(options, rules, events)
    except UsageError as error:
        progress.clear()
        print(error, file=sys.stderr)
        return 2
    progress.clear()
    out.write(printable_json(text) if options.json else printable(text))
    out.flush()
    return 0


def _segment(options: PreviewOptions, rules: Rules, events: ResolvedEvents) -> str:
    from transforms.explain import accounts
    from transforms.explain.survey import merged, survey

    question = Question(rules.rule, rules.against, events.as_of, options.sample)
    if rules.rule.segment.of == "accounts":
        users = accounts.merged_users(events.ask(accounts.users_of_accounts))
        found = accounts.survey_accounts(users, question)
        explainers = accounts.AccountExplainers(users, events.as_of)
        preview = make_preview(question, found, rules.folder, explainers)
    else:
        found = merged(events.ask(survey, question), options.sample)
        preview = make_preview(question, found, rules.folder)
    warnings = list(dict.fromkeys((*_about_time(options, events), *rules.warnings, *preview.warnings)))
    if options.json:
        return preview_json(preview, events.counts, warnings).decode()
    return preview_text(preview, events.counts, warnings)


def _about_time(options: PreviewOptions, events: ResolvedEvents) -> list[str]:
    if options.as_of is not None or events.as_of <= time.time_ns() // 1_000:
        return []
    return [
        f"everything is told as of {instant_words(events.as_of)}, the latest event, which lies in the future of this "
        "machine's clock; --as_of gives another instant"
    ]


def _profile(options: PreviewOptions, rules: Rules, events: ResolvedEvents) -> str:
    tell_story = _story_of_account if rules.rule.segment.of == "accounts" else _story_of_person
    story = tell_story(options.profile or "", rules, events)
    show: Callable[..., str | bytes] = story_json if options.json else story_text
    text = show(story, rules.rule.segment.name, events.as_of)
    return text.decode() if isinstance(text, bytes) else text


def _story_of_person(given: str, rules: Rules, events: ResolvedEvents) -> Story:
    profile_id = _profile_id(given, events)
    records = events.history(profile_id)
    if records is None:
        raise UsageError(f"--profile {given}: there is no such profile as of this instant")
    return tell(rules.rule, profile_id, records, events.as_of)


def _story_of_account(given: str, rules: Rules, events: ResolvedEvents) -> Story:
    from transforms.explain.accounts import merged_users, tell_of_account, users_of_accounts

    users = merged_users(events.ask(users_of_accounts))
    story = tell_of_account(rules.rule, given.removeprefix("account:"), users, events.as_of)
    if story is None:
        expected = "expected account:ID (or the bare id), since the segment is of accounts"
        raise UsageError(f"--profile {given}: there is no such account as of this instant; {expected}")
    return story


def _profile_id(given: str, events: ResolvedEvents) -> str:
    """The profile that an id stands for: a bare id is a user's if there is such a user, a merged user's its root's."""
    if given.startswith("user:"):
        return f"user:{events.plan.root(given[5:])}"
    if given.startswith("anon:"):
        return given
    user = f"user:{events.plan.root(given)}"
    return user if events.history(user) is not None else f"anon:{given}"


def _watch(options: PreviewOptions, events: ResolvedEvents, progress: Progress, wait: Wait) -> int:
    """Answers whenever a file is saved; what is wrong with it is shown instead."""
    files = [file for file in (options.segment, options.against) if file is not None]
    try:
        while True:
            if sys.stdout.isatty():
                sys.stdout.write(_CLEAR_SCREEN)
            try:
                _show(options, load_rules(options), events, progress, sys.stdout)
            except DefinitionErrors as errors:
                print(errors, file=sys.stderr)
            if not options.json:
                print(f"\nwatching {', '.join(map(str, files))} (Ctrl-C ends it)", file=sys.stderr)
            if not wait(files):
                return 0
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
