"""The job of `winnow run` as a team would write it in Python in a day: a transactional consumer on librdkafka, fastavro,
Hugging Face tokenizers, and plain onnxruntime with a stock export.

It reads candidates until --placements of them are committed, and prints one line of JSON: placements, dead_letters,
pairs, seconds (from the first poll with records to the last commit) and pairs_per_second.
"""

import argparse
import hashlib
import io
import json
import re
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from fastavro.schema import fingerprint, to_parsing_canonical_form
from plain_onnxruntime import Classifier

SCHEMAS = Path(__file__).resolve().parents[2] / "schema"
POLL_RECORDS = 100
POLL_SECONDS = 0.5


class Codec:
    """One record type in Avro's single-object encoding: C3 01, the schema's fingerprint, the body."""

    def __init__(self, name: str):
        definition = json.loads((SCHEMAS / f"{name}.avsc").read_text())
        self.schema = fastavro.parse_schema(definition)
        digest = fingerprint(to_parsing_canonical_form(definition), "CRC-64-AVRO")
        self.header = b"\xc3\x01" + bytes.fromhex(digest)

    def encode(self, record: dict) -> bytes:
        buffer = io.BytesIO(self.header)
        buffer.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(buffer, self.schema, record)
        return buffer.getvalue()

    def decode(self, data: bytes) -> dict:
        if not data.startswith(self.header):
            raise ValueError("not a single-object record of this schema")
        body = io.BytesIO(data[len(self.header) :])
        record = fastavro.schemaless_reader(body, self.schema)
        if body.read(1):
            raise ValueError("bytes follow the record")
        return record


@dataclass
class Policy:
    """Winnow's default policy, under the bundle's thresholds."""

    severe: float
    review: float
    weak: float
    min_products: int

    def judge(self, products: list[dict]) -> tuple[str, list[dict], list[dict], list[str]]:
        """The outcome, the products it names, those pruned, and the reasons."""
        if violations := [product for product in products if product["severe"] >= self.severe]:
            return "severe", violations, [], ["severe-product"]
        kept, pruned, seen = [], [], set()
        for product in products:
            words = frozenset(re.findall(r"\w+", product["title"].lower()))
            if product["severe"] >= self.review:
                pruned.append(product | {"reason": "uncertain"})
            elif product["weak"] >= self.weak:
                pruned.append(product | {"reason": "weak"})
            elif words in seen:
                pruned.append(product | {"reason": "duplicate-title"})
            else:
                seen.add(words)
                kept.append(product)
        if len(kept) >= self.min_products:
            return "approved", kept, pruned, []
        uncertain = any(product["reason"] == "uncertain" for product in pruned)
        return "review", kept, pruned, ["uncertain"] * uncertain + ["too-few-products"]


def threshold(manifest: dict, name: str) -> float:
    """A bundle of format 1 has plain numbers, and none for weak."""
    value = manifest["thresholds"].get(name, 0.5)
    return value["value"] if isinstance(value, dict) else value


class Gate:
    def __init__(self, graph: Path, bundle: Path, min_products: int):
        manifest = json.loads((bundle / "manifest.json").read_text())
        self.labels, self.temperature = manifest["labels"], manifest["calibration"]["temperature"]
        self.biases = np.array(manifest["calibration"].get("biases", [0, 0, 0]))
        self.policy = Policy(*(threshold(manifest, name) for name in ("severe", "review", "weak")), min_products)
        self.model = f"{manifest['name']}-{hashlib.sha256(graph.read_bytes()).hexdigest()[:12]}"
        self.classifier = Classifier(graph, bundle / "tokenizer.json", manifest["max_tokens"])
        self.classifier.logits([("warm", "up")])

    def score(self, candidates: list[dict]) -> None:
        """Adds each product's probabilities to it."""
        pairs = [(candidate["theme"], product["title"]) for candidate in candidates for product in candidate["products"]]
        if not pairs:
            return
        scaled = self.classifier.logits(pairs).astype(np.float64) / self.temperature + self.biases
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        rows = iter((weights / weights.sum(axis=1, keepdims=True)).tolist())
        for candidate in candidates:
            for product in candidate["products"]:
                product |= dict(zip(self.labels, next(rows), strict=True))


class Worker:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.gate = Gate(options.graph, options.bundle, options.min_products)
        self.codecs = {name: Codec(name) for name in ("candidate", "approved", "tombstone", "review")}
        self.consumer = Consumer(
            {
                "bootstrap.servers": options.brokers,
                "group.id": options.group,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        self.producer = Producer({"bootstrap.servers": options.brokers, "transactional.id": options.group + "-0"})

    def run(self) -> dict:
        self.producer.init_transactions(30)
        self.consumer.subscribe([self.options.candidates])
        done, dead, pairs, started = 0, 0, 0, 0.0
        while done < self.options.placements:
            messages = self.consumer.consume(POLL_RECORDS, POLL_SECONDS)
            if failed := next((message for message in messages if message.error()), None):
                raise KafkaException(failed.error())
            if not messages:
                continue
            started = started or time.perf_counter()
            outputs, scored, refused = self.decide(messages)
            if self.commit(messages, outputs):
                done, pairs, dead = done + len(messages), pairs + scored, dead + refused
        seconds = time.perf_counter() - started
        self.consumer.close()
        return {
            "placements": done,
            "dead_letters": dead,
            "pairs": pairs,
            "seconds": seconds,
            "pairs_per_second": pairs / seconds,
        }

    def decide(self, messages: list[Message]) -> tuple[list[tuple[str, bytes, bytes | None]], int, int]:
        """What to write, as (topic, key, value); how many pairs were scored, and how many records could not be read."""
        outputs, read = [], []
        for message in messages:
            try:
                candidate = self.codecs["candidate"].decode(message.value() or b"")
                if candidate["placement_id"].encode() != message.key():
                    raise ValueError("the key is not the placement's id")
                read.append((message, candidate))
            except (ValueError, EOFError, IndexError, UnicodeDecodeError):
                outputs.append((self.options.dead_letter, message.key(), message.value()))
        self.gate.score([candidate for _, candidate in read])
        for message, candidate in read:
            outputs += self.verdict(message, candidate)
        return outputs, sum(len(candidate["products"]) for _, candidate in read), len(messages) - len(read)

    def verdict(self, message: Message, candidate: dict) -> list[tuple[str, bytes, bytes | None]]:
        outcome, products, pruned, reasons = self.gate.policy.judge(candidate["products"])
        source = f"{message.topic()}/{message.partition()}/{message.offset()}\n{self.gate.model}"
        record = {
            "placement_id": candidate["placement_id"],
            "theme": candidate["theme"],
            "generator": candidate["generator"],
            "decision": {
                "id": f"{message.partition()}-{message.offset()}-{hashlib.sha256(source.encode()).hexdigest()[:12]}",
                "decided_at": datetime.now(UTC),
                "model": self.gate.model,
                "policy": str(self.gate.policy),
                "provider": "cpu",
            },
        }
        key = message.key()
        if outcome == "severe":
            tombstone = self.codecs["tombstone"].encode(record | {"violations": products})
            return [(self.options.tombstones, key, tombstone), (self.options.approved, key, None)]
        record |= {"products": products, "pruned": pruned}
        if outcome == "review":
            review = self.codecs["review"].encode(record | {"reasons": reasons})
            return [(self.options.review, key, review), (self.options.approved, key, None)]
        return [(self.options.approved, key, self.codecs["approved"].encode(record))]

    def commit(self, messages: list[Message], outputs: list[tuple[str, bytes, bytes | None]]) -> bool:
        """Writes outputs and input offsets in one transaction. False: it was aborted, and the records come again."""
        first, after = {}, {}
        for message in messages:
            first.setdefault(message.partition(), message.offset())
            after[message.partition()] = message.offset() + 1
        topic = self.options.candidates
        try:
            self.producer.begin_transaction()
            for target, key, value in outputs:
                self.producer.produce(target, key=key, value=value)
                self.producer.poll(0)
            offsets = [TopicPartition(topic, partition, offset) for partition, offset in after.items()]
            self.producer.send_offsets_to_transaction(offsets, self.consumer.consumer_group_metadata())
            self.producer.commit_transaction()
        except KafkaException as problem:
            error: KafkaError = problem.args[0]
            if not error.txn_requires_abort():
                raise
            self.producer.abort_transaction()
            for partition, offset in first.items():
                self.consumer.seek(TopicPartition(topic, partition, offset))
            return False
        return True


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--candidates", default="placements.candidates", help="topic to read")
    parser.add_argument("--approved", default="placements.approved", help="topics to write")
    parser.add_argument("--tombstones", default="placements.tombstones")
    parser.add_argument("--review", default="placements.review")
    parser.add_argument("--dead-letter", default="placements.dead-letter")
    parser.add_argument("--graph", type=Path, required=True, help="stock.onnx or stock_int8.onnx")
    parser.add_argument("--bundle", type=Path, default=SCHEMAS.parent / "model" / "starter")
    parser.add_argument("--min-products", type=int, default=3)
    parser.add_argument("--placements", type=int, required=True, help="exit when so many are committed")
    options = parser.parse_args()
    for file in (options.graph, options.bundle / "manifest.json", options.bundle / "tokenizer.json"):
        if not file.is_file():
            sys.exit(f"error: {file} is missing")
    return options


def main() -> None:
    try:
        print(json.dumps(Worker(parsed()).run()), flush=True)
    except KafkaException as problem:
        sys.exit(f"error: Kafka: {problem.args[0].str()}")


if __name__ == "__main__":
    main()
