"""What producers count (names after OPERATIONS: application prefix, base units)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

COMMANDS_PER_MESSAGE = Histogram(
    "sov_publish_batch_commands", "Commands per message sent", buckets=_BATCH_BUCKETS
)
REFUSED = Counter("sov_publish_refused_total", "Commands certainly not accepted by the broker")
UNCONFIRMED = Counter("sov_publish_unconfirmed_total", "Commands sent without a confirm")
IN_FLIGHT = Gauge(
    "sov_commands_in_flight", "Commands whose outcome is awaited", multiprocess_mode="livesum"
)
LOOKED_UP = Counter(
    "sov_outcomes_looked_up_total", "Outcomes found in the books because no reply came"
)
EVENTS = Counter("sov_events_published_total", "Events published", ["type"])
EVENTS_BEHIND = Gauge(
    "sov_relay_behind_seconds",
    "Age of the oldest outcome whose events are not published",
    multiprocess_mode="livemax",
)
