"""The report's texts by key, so that another language can follow; they stand in ``texts/``.

A translation is another ``Text`` with the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gan_core.report.armnames import parsed
from gan_core.report.texts.figures import FIGURES
from gan_core.report.texts.findings import FINDINGS
from gan_core.report.texts.images import IMAGES
from gan_core.report.texts.limits import LIMITS
from gan_core.report.texts.names import NAMES
from gan_core.report.texts.top import TOP
from gan_core.report.texts.verdicts import VERDICTS


@dataclass(frozen=True)
class Text:
    """The report's texts in one language.

    Attributes:
        language: BCP 47 tag for the page's ``lang``.
        messages: Key → text, with ``str.format`` placeholders.
    """

    language: str
    messages: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key, filled in.

        Raises:
            KeyError: There is no such text: a mistake in the report itself.
        """
        return self.messages[key].format(**values)

    def named(self, kind: str, name: str) -> str:
        """Return the name that people use for an arm, GAN, classifier or loss, or the name itself.

        New GANs and arms bring names that no translation knows yet.
        """
        return self.messages.get(f"{kind}:{name}", name)

    def arm(self, arm: str) -> str:
        """Return the label of an arm ("gan:infogan" → "real + InfoGAN")."""
        name = parsed(arm)
        if name.gan is not None:
            return self(f"arm_of:{name.kind}", gan=self.named("gan", name.gan))
        if name.size:
            return self(f"arm_of:{name.kind}", size=name.size)
        return self.named("arm", arm)

    def count(self, label: str, real_count: int) -> str:
        """Return the heading of a real count ("all" → "all (963)")."""
        return label if label == str(real_count) else f"{self.named('count', label)} ({real_count})"

    def phrase(self, label: str, real_count: int) -> str:
        """Return a real count as it stands in a sentence ("all" → "all 963")."""
        return label if label == str(real_count) else f"{self.named('count', label)} {real_count}"


ENGLISH = Text(
    language="en",
    messages={**NAMES, **TOP, **FIGURES, **VERDICTS, **IMAGES, **FINDINGS, **LIMITS},
)
