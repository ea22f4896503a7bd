"""What outlives a request: what each card said, and the feedback on it.

In come :class:`cds_service.hooks.told.ToldCard` and :class:`cds_service.hooks.feedback.FeedbackItem`, out go
overrides and counts. No chart, no name, no id of a patient, user or call comes in here: of a patient only a
keyed hash. SQLAlchemy is known to this room alone.
"""
