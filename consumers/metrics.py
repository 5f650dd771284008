"""What consumers count."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_TIME_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BATCH_COMMANDS = Histogram("sov_batch_commands", "Commands per transaction", buckets=_BATCH_BUCKETS)
BATCH_SECONDS = Histogram(
    "sov_batch_seconds", "Duration of a transaction with its retries", buckets=_TIME_BUCKETS
)
QUEUE_WAIT = Histogram(
    "sov_queue_wait_seconds",
    "Time of a message from its producer to the decision",
    buckets=_TIME_BUCKETS,
)
OUTCOMES = Counter("sov_outcomes_total", "Commands decided", ["result"])
RETRIES = Counter("sov_batch_retries_total", "Transactions run again", ["cause"])
DEAD_LETTERS = Counter("sov_dead_letters_total", "Commands and messages parked")
REPLIES_DROPPED = Counter("sov_replies_dropped_total", "Replies that could not be sent")
OWNED = Gauge("sov_partitions_owned", "Partitions this process owns", multiprocess_mode="livesum")
SWEPT = Counter("sov_reservations_swept_total", "Expired reservations tidied")
