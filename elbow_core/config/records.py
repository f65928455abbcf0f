"""Our own JSON records, such as the card of a model, read as strict pydantic models."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

Record = TypeVar("Record", bound=BaseModel)


def parse_record(model: type[Record], content: bytes) -> Record:
    """Return the record in the bytes of a JSON file.

    Raises `ValueError` in one line: the place of the first problem and what it is. Nothing of the
    file is quoted but the names of its keys, printable and shortened.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(ascii(str(part)[:80])[1:-1] for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        raise ValueError(f"{place}: {message}" if place else message) from error
