"""Our own codes of a clinician's assertions: questions, answers, and the drug that one is of."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.knowledge.asserting import Assertable, AssertedQuestion
from cds_service.terminology.codes import plain_uri
from cds_service.terminology.concepts import Concept
from cds_service.terminology.words import Lexicon, Mention, Phrase, Word


class Assertions:
    """Reads the codes of mappings/assertions.yaml; words are never read as an assertion, only against one."""

    def __init__(self, known: Assertable, drugs: frozenset[str]) -> None:
        self._known = known
        self._drugs = drugs
        self._names = {
            one.key: Lexicon(
                Phrase(text, answer.key)
                for answer in one.answers
                for text in (answer.key, answer.name.en, answer.name.it)
                if text
            )
            for one in known.questions.values()
        }
        self._by_code = {one.key: one for one in known.questions.values()}

    def _own(self, concept: Concept, system: str) -> list[str]:
        return [
            coding.code.strip()
            for coding in concept.codings
            if coding.system and plain_uri(coding.system) == plain_uri(system)
        ]

    def question(self, concept: Concept) -> AssertedQuestion | None:
        """What is asserted; None where none of our codes stands there."""
        if not concept.codings:
            return None
        return next(
            (self._by_code[c] for c in self._own(concept, self._known.system) if c in self._by_code), None
        )

    def answer(self, question: AssertedQuestion, concept: Concept) -> str:
        """The key of the answer; "" where it is none of the question's, or more than one."""
        found = {code for code in self._own(concept, self._known.system) if question.answer(code)}
        return found.pop() if len(found) == 1 else ""

    def answers_named(self, question: AssertedQuestion, words: Sequence[Word]) -> tuple[Mention[str], ...]:
        """The answers whose names stand in words."""
        return self._names[question.key].mentions(words)

    def displays(self, concept: Concept) -> tuple[str, ...]:
        """What stands in words beside our own codes."""
        ours = plain_uri(self._known.system)
        return tuple(c.display for c in concept.codings if c.system and plain_uri(c.system) == ours)

    def is_drug(self, concept: Concept) -> bool:
        """Whether a component names the drug."""
        return self._known.drug in self._own(concept, self._known.system)

    def drugs(self, concept: Concept) -> frozenset[str]:
        """The drugs that our own codes name."""
        return frozenset(code for code in self._own(concept, self._known.drugs) if code in self._drugs)
