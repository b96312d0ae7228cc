"""Asks Polars and deltalake the questions of a file. Prints each with another answer, as a line of JSON."""

import json
import sys
from datetime import datetime, timezone

import polars as pl
from deltalake import DeltaTable


def value_of(filter):
    text = filter["value"]
    if filter["type"] == "whole":
        return int(text)
    if filter["type"] == "time":
        return datetime.fromisoformat(text.replace("+00", "")).replace(tzinfo=timezone.utc)
    return text


def options_of(s3):
    return s3 and {
        "AWS_ACCESS_KEY_ID": s3["id"],
        "AWS_SECRET_ACCESS_KEY": s3["secret"],
        "AWS_REGION": s3["region"],
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_ALLOW_HTTP": "true",
    }


def ask_polars(table, filter, options):
    rows = pl.scan_delta(table, storage_options=options)
    if filter:
        rows = rows.filter(pl.col(filter["column"]) == value_of(filter))
    return rows.select(pl.len()).collect().item()


def ask_deltalake(table, filter, options):
    filters = [(filter["column"], "=", value_of(filter))] if filter else None
    return len(DeltaTable(table, storage_options=options).to_pandas(filters=filters))


for question in json.load(open(sys.argv[1])):
    # A decimal or a float compares by rules of each library's own.
    if question.get("filter", {}).get("type") in ("decimal", "float"):
        continue
    for engine, ask in (("Polars", ask_polars), ("deltalake", ask_deltalake)):
        try:
            answer = ask(question["table"], question.get("filter"), options_of(question.get("s3")))
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        if answer != question["rows"]:
            print(json.dumps({"engine": engine, "answer": answer, **question}))
