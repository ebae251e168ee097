"""E-mail platforms: one file each, a table of how it says what a block says."""

from collections.abc import Mapping

from schemas.errors import DefinitionErrors
from transforms.content.block import Body
from transforms.content.platforms.braze import Braze
from transforms.content.platforms.customerio import CustomerIo
from transforms.content.platforms.hubspot import HubSpot
from transforms.content.platforms.klaviyo import Klaviyo
from transforms.content.platforms.mailchimp import Mailchimp
from transforms.content.platforms.platform import Platform
from transforms.content.platforms.sendgrid import SendGrid
from transforms.segments.language.errors import SourceFile

PLATFORMS: dict[str, type[Platform]] = {
    "mailchimp": Mailchimp,
    "hubspot": HubSpot,
    "klaviyo": Klaviyo,
    "sendgrid": SendGrid,
    "braze": Braze,
    "customerio": CustomerIo,
}


def say_block(body: Body, platform: str, source: SourceFile, fields: Mapping[str, str]) -> str:
    """The block in the platform's syntax.

    Args:
        body: what `read_block` made of `source`.
        platform: a key of `PLATFORMS`.
        source: for the places of what the platform cannot say.
        fields: the platform's names of a person's values, by path (`first_name`, `computed.orders_90_days`,
            `segments.recent_buyers`), where they differ from the platform's usual ones.

    Raises:
        DefinitionErrors: what this platform cannot say, each with its place and what to do.
    """
    speaker = PLATFORMS[platform](source, fields)
    text = speaker.say(body)
    if speaker.problems:
        raise DefinitionErrors(speaker.problems)
    return text
