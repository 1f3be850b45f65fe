"""Normalization of texts: the form in which transcripts and recognized texts are compared.

- `SPELLED`: for recognizers that write words as they are spoken. The steps are those of Bini 2021
  (src/evaluation_ops.py): lower case, contractions expanded, punctuation removed.
- `WRITTEN`: for recognizers that write numbers as digits, such as Whisper. The normalizer is
  Whisper's (Radford et al. 2022, appendix C), which also writes numbers as digits, in British and
  American spelling alike, and omits "um" and what is in brackets. It joins numbers that are spelled
  digit by digit to one word: "three five nine" becomes 359.
"""

import functools
from importlib.metadata import version
from typing import Any, Protocol

from ...command import UserError


class Normalizer(Protocol):
    """Brings texts into a form in which they can be compared."""

    description: str  # for reports, after "both texts are"

    def __call__(self, text: str) -> str:
        """Returns the words of a text, separated by single spaces; empty if there are none.

        Raises:
            UserError: a package is not installed.
        """
        ...

    def steps(self) -> list[str]:
        """Lists the package with its version, and the steps, for records."""
        ...


class Spelled:
    """Normalizes with jiwer, and leaves numbers as they are."""

    description = "in lower case, without punctuation, with contractions expanded"

    def __call__(self, text: str) -> str:
        """Normalizes a text; see `Normalizer`."""
        return " ".join(self._compose(text)[0])

    def steps(self) -> list[str]:
        """Lists jiwer's version and the steps."""
        names = [type(step).__name__ for step in self._compose.transforms]
        return [f"jiwer {version('jiwer')}", *names]

    @functools.cached_property
    def _compose(self) -> Any:
        try:
            import jiwer
        except ImportError as error:
            raise UserError(
                "word error rates need jiwer, which is not installed; "
                "pip install '.[evaluate]' in wideband's folder"
            ) from error
        return jiwer.Compose(
            [
                jiwer.ToLowerCase(),
                # The typographic apostrophe, which the contractions lack.
                jiwer.SubstituteRegexes({"\u2019": "'"}),
                jiwer.ExpandCommonEnglishContractions(),
                jiwer.RemovePunctuation(),
                # Recognizers may print many lines.
                jiwer.RemoveWhiteSpace(replace_by_space=True),
                jiwer.ReduceToListOfListOfWords(),
            ]
        )


class Written:
    """Normalizes with Whisper's normalizer for English."""

    description = (
        "in lower case, without punctuation, with contractions expanded, numbers in digits and "
        "American spelling"
    )

    def __call__(self, text: str) -> str:
        """Normalizes a text; see `Normalizer`."""
        # Two deviations: the normalizer does not know the typographic apostrophe, and leaves dots
        # and signs that belong to no number.
        words = self._normalize(text.replace("\u2019", "'")).split()
        return " ".join(word for word in words if any(map(str.isalnum, word)))

    def steps(self) -> list[str]:
        """Lists the package's version and the class."""
        return [
            f"whisper-normalizer {version('whisper-normalizer')}",
            type(self._normalize).__name__,
        ]

    @functools.cached_property
    def _normalize(self) -> Any:
        try:
            from whisper_normalizer.english import EnglishTextNormalizer
        except ImportError as error:
            raise UserError(
                "the recognizer whisper needs whisper-normalizer, which is not installed; "
                "pip install '.[whisper]' in wideband's folder"
            ) from error
        return EnglishTextNormalizer()


SPELLED: Normalizer = Spelled()
WRITTEN: Normalizer = Written()
