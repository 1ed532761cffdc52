"""An archive on Spark: every partition paints shards with a colorizer of its own.

    spark-submit examples/archive/spark.py s3://BUCKET/scans -o s3://BUCKET/colour

Needs `pip install "chromagan[archive]" pyspark` on every machine. Status and manifest are those of `chromagan archive`:
what one of them began the other goes on with.
"""

import argparse
from collections import Counter
from collections.abc import Iterator

from chromagan.apps.archive.manifest import list_photos, shards_of
from chromagan.apps.archive.order import Order
from chromagan.apps.archive.shard import here
from chromagan.files.stores import Place


def paint(order: Order, shards: Iterator[str]) -> Iterator[str]:
    """Paint shards, one after another; gives what became of each photo."""
    for rows in here(order, shards):
        yield from (row.status for row in rows)


def main() -> None:
    """List, paint, count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("-o", "--out", required=True)
    parser.add_argument("--model", default="chromagan")
    args = parser.parse_args()

    from pyspark.sql import SparkSession

    order = Order(out=args.out, model=args.model, device="cpu")
    shards = shards_of(list_photos(args.inputs, Place(args.out)))
    context = SparkSession.builder.appName("chromagan").getOrCreate().sparkContext
    painted = context.parallelize(shards, len(shards)).mapPartitions(lambda some: paint(order, some))
    for status, count in sorted(Counter(painted.countByValue()).items()):
        print(f"{count} {status}")


if __name__ == "__main__":
    main()
