"""One plugin for client, worker and replayer alike, so that they can never differ.

It holds the data converter (pydantic, refusing payloads that would wedge a workflow), the modules
that workflow sandboxes share, and the exceptions that fail a run instead of retrying for ever.
"""

from dataclasses import replace
from typing import Any

import pydantic
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.exceptions import ApplicationError
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from app.domain.base import Model

_JSON = {"encoding": b"json/plain"}
PAYLOAD_LIMIT = 64 * 1024
"""Bytes. Workflows carry references; whatever is larger is a defect and would retry for ever."""


class CappedConverter(PydanticJSONPlainPayloadConverter):
    """JSON by pydantic; a payload over the limit fails at once and names its largest field."""

    def to_payload(self, value: Any) -> Payload | None:
        """The payload of `value`. Raises a non-retryable `PayloadTooLarge`."""
        if isinstance(value, Model) and value.compact:
            payload = Payload(metadata=_JSON, data=value.model_dump_json(exclude_defaults=True).encode())
        else:
            payload = super().to_payload(value)
        if payload is not None and len(payload.data) > PAYLOAD_LIMIT:
            raise ApplicationError(
                f"`{type(value).__name__}{_largest_field(value)}` makes a payload of {len(payload.data)} bytes, "
                f"over the limit of {PAYLOAD_LIMIT}; pass a reference instead",
                type="PayloadTooLarge",
                non_retryable=True,
            )
        return payload


def _largest_field(value: Any) -> str:
    if not isinstance(value, pydantic.BaseModel):
        return ""
    sizes = {name: len(repr(getattr(value, name))) for name in type(value).model_fields}
    return "." + max(sizes, key=lambda name: sizes[name]) if sizes else ""


class PayloadConverter(CompositePayloadConverter):
    """Temporal's default converters with JSON by `CappedConverter`."""

    def __init__(self) -> None:
        json = CappedConverter()
        super().__init__(
            *(
                json if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


def _runner(existing: WorkflowRunner | None) -> WorkflowRunner:
    if existing is not None and not isinstance(existing, SandboxedWorkflowRunner):
        return existing  # an unsandboxed runner was asked for
    # Nouns and parts hold no state: sharing them saves loading them again for every workflow, and its memory.
    shared = SandboxRestrictions.default.with_passthrough_modules("app", "workflows.parts")
    return SandboxedWorkflowRunner(restrictions=shared)


DATA_CONVERTER = replace(pydantic_data_converter, payload_converter_class=PayloadConverter)

PLUGIN = SimplePlugin(
    "codetether",
    data_converter=DATA_CONVERTER,
    workflow_runner=_runner,
    workflow_failure_exception_types=[pydantic.ValidationError],
)
