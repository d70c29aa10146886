"""What every service counts. Labels are message types and outcomes only: bounded sets."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

NAMESPACE = "qm"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The counters of one service process, in a registry of their own."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        types, kinds = ["type"], ["type", "kind"]
        self.handled = Counter("messages_handled", "Messages settled, by type.", types, namespace=NAMESPACE, registry=registry)
        self.failed = Counter(
            "messages_failed", "Handler runs that raised, by type and kind.", kinds, namespace=NAMESPACE, registry=registry
        )
        self.parked = Counter("messages_parked", "Messages put aside for a person.", namespace=NAMESPACE, registry=registry)
        self.duplicates = Counter("messages_duplicate", "Messages heard again and ignored.", namespace=NAMESPACE, registry=registry)
        self.gaps = Counter("messages_gap", "Times a number was missing under a key.", namespace=NAMESPACE, registry=registry)
        self.caught_up = Counter(
            "messages_caught_up", "Messages fetched from their owner's outbox.", namespace=NAMESPACE, registry=registry
        )
        self.held = Gauge("messages_held", "Messages waiting for others to come first.", namespace=NAMESPACE, registry=registry)
        self.handler_seconds = Histogram(
            "handler_seconds", "Time in a handler.", types, buckets=_SECONDS, namespace=NAMESPACE, registry=registry
        )
        self.page_seconds = Histogram(
            "page_seconds", "Time of a transaction, commit included.", buckets=_SECONDS, namespace=NAMESPACE, registry=registry
        )
        self.lag_seconds = Gauge(
            "lag_seconds", "Wall time between saying and settling of the latest message.", namespace=NAMESPACE, registry=registry
        )
        self.published = Counter("outbox_published", "Outbox rows acknowledged by the bus.", namespace=NAMESPACE, registry=registry)
        self.publish_failures = Counter(
            "outbox_publish_failures", "Batches the bus did not acknowledge.", namespace=NAMESPACE, registry=registry
        )
        self.outbox_age_seconds = Gauge(
            "outbox_age_seconds", "Age of the oldest unpublished outbox row.", namespace=NAMESPACE, registry=registry
        )
        self.bus_errors = Counter(
            "bus_errors", "Errors the bus reported: refused permissions show up here.", namespace=NAMESPACE, registry=registry
        )
        self.stood_still = Counter(
            "loop_stood_still_seconds", "Time in which the event loop did nothing it was due to do.", namespace=NAMESPACE, registry=registry
        )
        self.bus_connected = Gauge("bus_connected", "1 while connected to the bus.", namespace=NAMESPACE, registry=registry)
        self.up = Gauge("service_info", "1, labelled with the service's name.", ["service"], namespace=NAMESPACE, registry=registry)
        self.up.labels(service).set(1)
        self._of_type: dict[str, tuple[Counter, Histogram]] = {}
        self._holding = 0

    def done(self, name: str, took_s: float) -> None:
        """A message of this type was handled in so many seconds."""
        both = self._of_type.get(name)
        if both is None:
            both = self._of_type[name] = self.handled.labels(name), self.handler_seconds.labels(name)
        both[0].inc()
        both[1].observe(took_s)

    def holding(self, number: int) -> None:
        """So many messages wait for others to come first."""
        if number != self._holding:
            self._holding = number
            self.held.set(number)
