"""The generated documents say what the code says."""

from pathlib import Path

import msgspec
import pytest

from quantmatrix.common.contracts.catalog import MESSAGES
from quantmatrix.common.contracts.codec import decode_hook
from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.common.runtime.streams import HEARINGS, SERVICES
from quantmatrix.operations.documents import all_documents, drifted, messages, settings, streams, write_all
from quantmatrix.operations.documents.examples import example_of
from quantmatrix.operations.documents.questions import all_questions
from quantmatrix.operations.documents.sources import answering, face_of, told

ROOT = Path(__file__).parents[2]


def test_no_generated_document_is_out_of_date() -> None:
    assert [str(path) for path in drifted(ROOT)] == [], "run 'make docs'"


def test_a_changed_or_absent_document_is_noticed_and_written_again(tmp_path: Path) -> None:
    written = write_all(tmp_path)
    (tmp_path / messages.PLACE).write_text("changed", encoding="utf-8")
    (tmp_path / streams.PLACE).unlink()

    assert set(written) == set(all_documents())
    assert set(drifted(tmp_path)) == {messages.PLACE, streams.PLACE}
    assert set(write_all(tmp_path)) == {messages.PLACE, streams.PLACE}
    assert drifted(tmp_path) == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_every_message_stands_in_the_table_with_an_example_that_its_reader_takes(message: type[msgspec.Struct]) -> None:
    text = (ROOT / messages.PLACE).read_text(encoding="utf-8")
    example = msgspec.json.encode(example_of(message))

    read = msgspec.json.decode(example, type=message, dec_hook=decode_hook)

    assert isinstance(read, message)
    assert f"### {message.__name__}\n" in text


def test_what_a_service_handles_is_told_to_it() -> None:
    """A handler for a message that no consumer of the service is given would never run."""
    for service in SERVICES:
        given = {message.__name__ for message in MESSAGES if service in told(message)}

        assert set(face_of(service).hears) <= given, service


def test_every_question_has_somebody_who_answers_it() -> None:
    unanswered = [question.__name__ for question in all_questions() if not answering(question.__name__)]

    assert unanswered == []


def test_every_consumer_stands_in_the_table_of_streams() -> None:
    text = (ROOT / streams.PLACE).read_text(encoding="utf-8")

    assert [hearing.delivered_to for hearing in HEARINGS if f"`{hearing.delivered_to}`" not in text] == []


def test_every_setting_of_every_service_stands_in_the_example_environment() -> None:
    text = (ROOT / settings.ENVIRONMENT).read_text(encoding="utf-8")
    wanted = {f"QM_{name.upper()}" for name in ServiceSettings.model_fields}
    wanted |= {setting.variable for service in SERVICES for setting in settings.settings_of(service)}

    assert sorted(name for name in wanted if f"#{name}=" not in text and f"#{name}_FILE=" not in text) == []


def test_every_setting_is_described() -> None:
    every = [*settings.shared_settings(), *settings.operations_settings()]
    every += [setting for service in SERVICES for setting in settings.settings_of(service)]

    assert [setting.variable for setting in every if not setting.description] == []
