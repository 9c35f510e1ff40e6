"""Who works when a draft names no team."""

from app.domain.okr import Member

DEFAULT_TEAM = (
    Member(name="builder", role="Make the change that brings the key results closer. Verify what you did."),
    Member(
        name="reviewer", role="Check the work so far against the key results, and correct what is wrong or missing."
    ),
)
SOLO = Member(name="agent", role="Do the task.")
