"""Prints every quota command as one line of JSON, with nothing of tidegate installed.

    pip install -r requirements.txt
    python quotas.py localhost:9092 http://localhost:8081
"""

import json
import sys

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC = "tidegate.quotas"

brokers, registry = sys.argv[1:3]
deserialise = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "quotas-in-python", "auto.offset.reset": "earliest"})
consumer.subscribe([TOPIC])

while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        sys.exit(str(message.error()))
    command = deserialise(message.value(), SerializationContext(TOPIC, MessageField.VALUE))
    print(json.dumps(command, default=str), flush=True)
