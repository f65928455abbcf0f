"""The interface in OpenAPI 3.1, which `/openapi.json` gives.

Reference: OpenAPI Specification 3.1.0.
"""

from typing import Any

VERSION = "1.0"
"""Of the interface; a change that breaks clients raises the first number."""

_SCORE = {"type": "number", "minimum": 0, "maximum": 1, "description": "P(injury)"}
_ANSWER = {
    "model": {"type": "string", "description": "name of the model"},
    "score": _SCORE,
    "answer": {"type": "string", "description": "one of the model's labels, or `uncertain`"},
    "operating_point": {
        "enum": ["default", "abstention"],
        "description": "what decided: the threshold `default`, or the two that leave images to "
        "the reader",
    },
}
_SCHEMAS: dict[str, Any] = {
    "Judged": {
        "type": "object",
        "required": [*_ANSWER, "gate"],
        "properties": {
            **_ANSWER,
            "gate": {
                "enum": ["", "ok", "unlike the training images"],
                "description": "of the input gate; empty for a model without one",
            },
        },
    },
    "Joined": {
        "type": "object",
        "required": [*_ANSWER, "join", "images"],
        "properties": {
            **_ANSWER,
            "join": {"enum": ["mean of logits"]},
            "images": {"type": "integer", "minimum": 1},
        },
    },
    "Image": {
        "type": "object",
        "required": ["models", "study", "view", "side", "height", "width"],
        "properties": {
            "models": {"type": "array", "items": {"$ref": "#/components/schemas/Judged"}},
            "study": {
                "type": "string",
                "description": "equal for images of one patient and study; a digest under a key "
                "that lasts as long as the server runs; empty for a file that is not DICOM",
            },
            "view": {"enum": ["", "ap", "lateral", "oblique"]},
            "side": {"enum": ["", "L", "R", "B"]},
            "height": {"type": "integer", "description": "pixels"},
            "width": {"type": "integer", "description": "pixels"},
        },
    },
    "Study": {
        "type": "object",
        "required": ["models"],
        "properties": {
            "models": {"type": "array", "items": {"$ref": "#/components/schemas/Joined"}}
        },
    },
    "Scores": {
        "type": "object",
        "required": ["scores"],
        "properties": {
            "scores": {
                "type": "array",
                "minItems": 1,
                "maxItems": 64,
                "items": {"type": "array", "items": _SCORE},
                "description": "of each image of the study, the scores of all models",
            }
        },
    },
    "Models": {
        "type": "object",
        "required": ["version", "models", "study_join", "most_body_bytes"],
        "properties": {
            "version": {"type": "string"},
            "models": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "weights_sha256": {"type": "string"},
                        "card_sha256": {"type": "string"},
                        "network": {"type": "string"},
                        "members": {"type": "integer"},
                        "labels": {"type": "array", "items": {"type": "string"}},
                        "thresholds": {
                            "type": "object",
                            "additionalProperties": {"type": "number"},
                        },
                        "abstention": {"type": ["object", "null"]},
                        "gate": {"type": "boolean"},
                        "heat_map": {"type": "boolean"},
                        "replaced": {
                            "type": "boolean",
                            "description": "the folder holds another model by now; the loaded one "
                            "still answers",
                        },
                    },
                },
            },
            "study_join": {"type": "string"},
            "most_body_bytes": {"type": "integer"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string", "description": "one line"}},
    },
}
_REFUSED = {
    "400": "the body or a parameter is not as described",
    "401": "the token is missing or wrong",
    "403": "the request came from another page",
    "408": "the body did not come in time",
    "411": "no Content-Length",
    "413": "the body is too long",
    "415": "no type of a file",
    "421": "the Host header is no name of this server",
    "422": "the file gives no radiograph; `error` says why",
    "503": "the server is busy: send it again after Retry-After seconds",
}
_FILE = {
    "required": True,
    "description": "one PNG, JPEG or DICOM file as it is",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


def description() -> dict[str, Any]:
    """Return the description, as JSON."""
    model = {
        "name": "model",
        "in": "query",
        "description": "number of the model, from 0",
        "schema": {"type": "integer", "minimum": 0, "default": 0},
    }
    scores = {"required": True, "content": _json("Scores")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reading room",
            "version": VERSION,
            "description": "Scores radiographs with a released model. Not a medical device: "
            "nothing here is fit to guide anyone's care.",
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/models": {"get": _operation("The models that are served", _json("Models"))},
            "/score": {
                "post": _operation("Score one radiograph", _json("Image"), requestBody=_FILE)
            },
            "/study": {
                "post": _operation(
                    "Join the scores of a study's images", _json("Study"), requestBody=scores
                )
            },
            "/picture": {
                "post": _operation(
                    "Return the radiograph as it is shown", _png(), requestBody=_FILE
                )
            },
            "/heat_map": {
                "post": _operation(
                    "Return where a model sees evidence for injury (Grad-CAM)",
                    _png(),
                    requestBody=_FILE,
                    parameters=[model],
                )
            },
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(summary: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    refused = {
        status: {"description": text, "content": _json("Error")}
        for status, text in _REFUSED.items()
    }
    answered = {"200": {"description": summary, "content": content}}
    return {"summary": summary, **more, "responses": answered | refused}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _png() -> dict[str, Any]:
    return {"image/png": {"schema": {"type": "string", "format": "binary"}}}
