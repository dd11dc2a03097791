"""An edge with nothing of tidegate but its protos and Avro schemas: reports once a second and prints every command.

    pip install -r requirements.txt
    python edge.py http://127.0.0.1:4600 NODE_ID COUNT

Ends after COUNT acknowledged reports and the command that answers the last of them, or a later one.
"""

import importlib
import io
import json
import struct
import sys
import tempfile
import time
from pathlib import Path

import cramjam
import fastavro
import grpc
from grpc_tools import protoc

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
PROTO = "tidegate/edge/v1/edge.proto"
# Ids of tidegate's own catalogue, see docs/schemas.md.
LOAD_REPORT, QUOTA_COMMAND = 1, 8


def stubs():
    """The generated messages and client."""
    out = tempfile.mkdtemp()
    if protoc.main(["protoc", f"-I{SCHEMAS / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}", PROTO]):
        sys.exit("the protos do not compile")
    sys.path.insert(0, out)
    return importlib.import_module("tidegate.edge.v1.edge_pb2"), importlib.import_module("tidegate.edge.v1.edge_pb2_grpc")


def schema(name):
    return fastavro.schema.load_schema(str(SCHEMAS / "avro" / f"{name}.avsc"))


def framed(schema_id, parsed, record):
    out = io.BytesIO(b"")
    out.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(out, parsed, record)
    return out.getvalue()


def batches(pb, node, count, parsed, sent):
    for number in range(1, count + 1):
        now = int(time.time() * 1000)
        # The schema's defaults stand for what is not measured.
        report = {"node_id": node, "timestamp": now, "sequence": now, "interval_ms": 1000, "cpu": 0.9, "base_quota": 1000.0}
        record = pb.Record(key=node.encode(), value=framed(LOAD_REPORT, parsed, report))
        plain = pb.Records(records=[record]).SerializeToString()
        yield pb.ReportBatch(
            id=number,
            compression=pb.COMPRESSION_SNAPPY,
            uncompressed_bytes=len(plain),
            payload=bytes(cramjam.snappy.compress_raw(plain)),
        )
        sent.append(now)
        time.sleep(1)


def main():
    address, node, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pb, services = stubs()
    client = services.EdgeServiceStub(grpc.insecure_channel(address.removeprefix("http://")))
    commands, sent = client.Watch(pb.WatchRequest(node_ids=[node]), timeout=60), []
    for ack in client.Report(batches(pb, node, count, schema("load_report"), sent), timeout=60):
        print(json.dumps({"acknowledged": ack.id, "accepted": ack.accepted, "set_aside": ack.set_aside}), flush=True)
    writer = schema("quota_command_v2")
    for update in commands:
        zero, schema_id = struct.unpack(">bI", update.value[:5])
        assert (zero, schema_id, update.key) == (0, QUOTA_COMMAND, node.encode())
        command = fastavro.schemaless_reader(io.BytesIO(update.value[5:]), writer)
        print(json.dumps({"sequence": command["sequence"], "quota": command["quota"]}), flush=True)
        if command["sequence"] >= sent[-1]:
            return


main()
