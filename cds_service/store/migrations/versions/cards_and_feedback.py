"""The first tables: what each card said, and the feedback on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes both tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "card",
        sa.Column("uuid", sa.String(64), primary_key=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("indicator", sa.String(16), nullable=False),
        sa.Column("finding", sa.String(200), nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("pathway", sa.String(100), nullable=False),
        sa.Column("knowledge_version", sa.String(100), nullable=False),
        sa.Column("knowledge_sha256", sa.String(64), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("patient_hash", sa.String(64)),
        sa.Column("shown", sa.Boolean, nullable=False),
    )
    op.create_index("ix_card_patient_hash_finding", "card", ["patient_hash", "finding"])
    op.create_index("ix_card_created_at", "card", ["created_at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item", sa.String(64), nullable=False, unique=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("card", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("outcome_at", moment),
        sa.Column("received_at", moment, nullable=False),
        sa.Column("happened_at", moment, nullable=False),
        sa.Column("reason_code", sa.String(64), nullable=False),
        sa.Column("reason_system", sa.String(200), nullable=False),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("commented", sa.Boolean, nullable=False),
    )
    op.create_index("ix_feedback_card", "feedback", ["card"])
    op.create_index("ix_feedback_happened_at", "feedback", ["happened_at"])


def downgrade() -> None:
    """Takes both away, with what they hold."""
    op.drop_table("feedback")
    op.drop_table("card")
