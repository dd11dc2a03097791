"""Reads loads, forecasts and quotas with Confluent's own client and checks that they belong together.

Each record is printed as one line of JSON ({"topic", "partition", "offset", "key", "record"}). With --check-formula:

* every quota command follows from its forecast by the policy `threshold`, bounds named in `limits_hit` aside,
* every load report that was not set aside is answered exactly once, duplicates of a command being equal.

Ends with 0 where all holds, 1 where something does not, 2 where the topics can not be read.
"""

import argparse
import json
import sys
from collections import Counter

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

# Values leave tidegate rounded to 1e-4; a quota is that times the base quota.
ROUNDING = 1.01e-4


def read_all(brokers, topic):
    """The records of a topic from its start to the end that it has now."""
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "check", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    try:
        described = consumer.list_topics(topic, timeout=30).topics[topic]
        if described.error:
            raise KafkaException(described.error)
        consumer.assign([TopicPartition(topic, number, 0) for number in described.partitions])
        at_end = set()
        while len(at_end) < len(described.partitions):
            message = consumer.poll(30.0)
            if message is None:
                raise TimeoutError(f"{topic} gave nothing for 30 s")
            if not message.error():
                yield message
            elif message.error().code() == -191:  # _PARTITION_EOF
                at_end.add(message.partition())
            else:
                raise KafkaException(message.error())
    finally:
        consumer.close()


def identity(record):
    return record["node_id"], record["sequence"]


def expected_scale(forecast):
    """The design's formula: the policy `threshold`."""
    peak = max(forecast["peak_cpu"]["p50"], forecast["peak_memory"]["p50"])
    current = max(forecast["current"]["cpu"], forecast["current"]["memory"])
    if peak > 0.8:
        return 1.2 * (peak / 0.8)
    return 0.7 if current < 0.3 else 1.0


def formula_fault(command, forecast):
    """What is wrong with a command, or None."""
    base, quota, limits = command["base_quota"], command["quota"], command["limits_hit"]
    wanted = base * expected_scale(forecast)
    close = abs(quota - wanted) <= ROUNDING * max(1.0, base)
    if abs(command["scale_factor"] * base - quota) > ROUNDING * max(1.0, base):
        return f"scale_factor {command['scale_factor']} × base {base} is not the quota {quota}"
    if not limits:
        return None if close else f"quota {quota}, by the formula {wanted}"
    if limits == ["min"]:
        return None if quota >= wanted else f"raised to min, yet {quota} is below {wanted}"
    if limits == ["max"]:
        return None if quota <= wanted else f"cut to max, yet {quota} is above {wanted}"
    return f"limits {limits} do not belong to the policy threshold"


def faults(loads, forecasts, quotas, set_aside):
    """Everything that does not hold, in words."""
    reports = {identity(record) for at, record in loads if at not in set_aside}
    by_report = {identity(record): record for _, record in forecasts}
    commands = {}
    for at, command in quotas:
        known = commands.setdefault(identity(command), command)
        if known != command:
            yield f"{at}: another answer to {identity(command)} than before"
    for name in sorted(reports - commands.keys()):
        yield f"{name} has no quota command"
    for name in sorted(commands.keys() - reports):
        yield f"{name} has a quota command and no load report"
    for name, command in commands.items():
        fault = formula_fault(command, by_report[name]) if name in by_report else "no forecast"
        if fault:
            yield f"{name}: {fault}"


def positions_set_aside(brokers, topic):
    """Positions of the records that stand on the dead-letters topic."""
    for message in read_all(brokers, topic):
        headers = {key: value.decode() for key, value in message.headers() or []}
        yield headers["source.topic"], int(headers["source.partition"]), int(headers["source.offset"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", default="localhost:9092")
    parser.add_argument("--registry", default="http://localhost:8081")
    parser.add_argument("--prefix", default="tidegate.")
    parser.add_argument("--check-formula", action="store_true")
    options = parser.parse_args()

    deserialise = AvroDeserializer(SchemaRegistryClient({"url": options.registry}))
    dead_letters = set(positions_set_aside(options.brokers, options.prefix + "dead-letters"))
    records = {}
    for name in ("load", "forecasts", "quotas"):
        topic = options.prefix + name
        records[name] = []
        for message in read_all(options.brokers, topic):
            at = (topic, message.partition(), message.offset())
            if at in dead_letters:
                continue
            record = deserialise(message.value(), SerializationContext(topic, MessageField.VALUE))
            records[name].append((at, record))
            key = message.key().decode()
            line = {"topic": topic, "partition": at[1], "offset": at[2], "key": key, "record": record}
            print(json.dumps(line, default=str))
    if not options.check_formula:
        return 0
    found = list(faults(records["load"], records["forecasts"], records["quotas"], dead_letters))
    for fault in found[:20]:
        print(fault, file=sys.stderr)
    scales = Counter(expected_scale(record) for _, record in records["forecasts"])
    summary = {name: len(of_topic) for name, of_topic in records.items()}
    summary |= {"raised": sum(n for s, n in scales.items() if s > 1.0), "lowered": scales[0.7], "faults": len(found)}
    print(json.dumps(summary), file=sys.stderr)
    return 1 if found or not records["quotas"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KafkaException, KeyError, SerializationError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
