"""Sends records with a header whose name is not UTF-8, which librdkafka's bindings and Java's client cannot.

Reads lines `KEY_HEX VALUE_HEX` and sends each to partition 0: send.py BROKERS TOPIC < lines
"""

import sys

from kafka import KafkaProducer


class Name(str):
    """A header name that goes out as bytes which are no text."""

    def encode(self, *_):
        return b"\xff\xfename"


brokers, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=brokers, acks="all")
for line in sys.stdin:
    key, value = (bytes.fromhex(word) for word in line.split())
    headers = [("before", b"1"), (Name("name"), b"\x00\x01"), ("after", b"2")]
    producer.send(topic, key=key, value=value, partition=0, headers=headers).get(timeout=30)
producer.close()
